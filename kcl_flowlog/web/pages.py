"""The pages as a WSGI application: metrics, health checks and a landing page.

Counts a scrape only after its last byte was sent. Knows neither the HTTP
server nor the metrics: functions from outside make the contents. A page that
fails becomes a 500 and an error in the log; the other pages keep working.
"""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from kcl_flowlog.web.basic_auth import BasicAuth, Verdict
from kcl_flowlog.web.landing import Landing, landing_page
from kcl_flowlog.web.scrapes import Scrapes
from kcl_flowlog.web.web_config import WebConfig

log = logging.getLogger(__name__)

Render = Callable[[str, Mapping[str, Sequence[str]]], tuple[str, bytes]]
"""Makes the metrics page from an `Accept` header and a query. Returns content type and body."""

Check = Callable[[], Sequence[str]]
"""Returns the reasons why a check fails, one sentence each; none if it passes."""

Environ = Mapping[str, Any]

# The server copies the unsent rest of a chunk each time the kernel takes a part of it, so chunks are small.
_CHUNK_BYTES = 64 * 1024
_GZIP_LEVEL = 4

_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Pages:
    """The contents to serve; the metrics are under `telemetry_path`."""

    telemetry_path: str
    render: Render
    healthy: Check
    ready: Check
    landing: Landing = field(default_factory=Landing)


@dataclass(frozen=True)
class _Response:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


def _text(status: HTTPStatus, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> _Response:
    return _Response(status, "".join(f"{line}\n" for line in lines).encode(), headers=headers)


_REFUSALS = {
    Verdict.REJECTED: _text(
        HTTPStatus.UNAUTHORIZED, "Unauthorized", headers=(("WWW-Authenticate", 'Basic realm="kcl-flowlog"'),)
    ),
    Verdict.BUSY: _text(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many passwords are being checked; try again.",
        headers=(("Retry-After", "1"),),
    ),
}


class Application:
    """The WSGI application. `web_config` returns the users and headers in force, for each request anew."""

    def __init__(self, pages: Pages, web_config: Callable[[], WebConfig], scrapes: Scrapes) -> None:
        self._pages = pages
        self._web_config = web_config
        self._scrapes = scrapes
        self._auth = BasicAuth()
        self._handlers: Mapping[str, Callable[[Environ], _Response]] = {
            "/": self._landing,
            "/-/healthy": lambda _: _check(pages.healthy),
            "/-/ready": lambda _: _check(pages.ready),
            pages.telemetry_path: self._metrics,
        }

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        scrape = self._scrapes.begin() if self._is_full_scrape(environ) else None
        config = self._web_config()
        response = self._response(environ, config.users)
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            *response.headers,
            *config.headers,
        ]
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        _log_request(environ, response)
        if environ["REQUEST_METHOD"] == "HEAD":
            return ()
        return self._send(response, scrape)

    def _is_full_scrape(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] == "GET"
            and environ["PATH_INFO"] == self._pages.telemetry_path
            and "name[]" not in parse_qs(environ["QUERY_STRING"])
        )

    def _send(self, response: _Response, scrape: int | None) -> Iterator[bytes]:
        """Yield the body in chunks. The server takes the next chunk only after it has sent a chunk."""
        for start in range(0, len(response.body), _CHUNK_BYTES):
            yield response.body[start : start + _CHUNK_BYTES]
        if scrape is not None and response.status is HTTPStatus.OK:
            self._scrapes.end(scrape)

    def _response(self, environ: Environ, users: Mapping[str, str]) -> _Response:
        if users:
            verdict = self._auth.check(users, environ.get("HTTP_AUTHORIZATION", ""), environ["REMOTE_ADDR"])
            if verdict is not Verdict.ACCEPTED:
                return _REFUSALS[verdict]
        handler = self._handlers.get(environ["PATH_INFO"])
        if handler is None:
            return _text(HTTPStatus.NOT_FOUND, "Not found")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD", headers=(("Allow", "GET, HEAD"),))
        try:
            return handler(environ)
        except Exception:
            # The next scrape may succeed, and flow logs are counted all the same.
            log.exception("Cannot make a page", extra={"fields": {"path": environ["PATH_INFO"]}})
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "Cannot make this page; see the log.")

    def _metrics(self, environ: Environ) -> _Response:
        query = parse_qs(environ["QUERY_STRING"])
        content_type, body = self._pages.render(environ.get("HTTP_ACCEPT", ""), query)
        headers = [("Vary", "Accept, Accept-Encoding")]
        if _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = gzip.compress(body, _GZIP_LEVEL)
            headers.append(("Content-Encoding", "gzip"))
        return _Response(HTTPStatus.OK, body, content_type, tuple(headers))

    def _landing(self, _: Environ) -> _Response:
        pages = self._pages
        page = landing_page(pages.landing, pages.telemetry_path, pages.healthy(), pages.ready())
        return _Response(HTTPStatus.OK, page.encode(), _HTML)


def _check(check: Check) -> _Response:
    reasons = check()
    if reasons:
        return _text(HTTPStatus.SERVICE_UNAVAILABLE, *reasons)
    return _text(HTTPStatus.OK, "OK")


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters) is None
    return False


def _log_request(environ: Environ, response: _Response) -> None:
    fields = {
        "client": environ["REMOTE_ADDR"],
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "status": response.status.value,
        "bytes": len(response.body),
    }
    log.debug("Answered a request", extra={"fields": fields})
