"""The pages of the sidecar as a WSGI application: metrics, health, and a landing page.

Promises that it is known when a scrape was fully answered. Knows neither the
server nor the metrics: the pages come from outside, as functions. A page that
fails is a 500 and a line in the log, and nothing else stops.
"""

from __future__ import annotations

import gzip
import html
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from kcl_flowlog import __version__
from kcl_flowlog.web.basic_auth import BasicAuth
from kcl_flowlog.web.web_config import Web

log = logging.getLogger(__name__)

Render = Callable[[str, Mapping[str, Sequence[str]]], tuple[str, bytes]]
"""Makes the metrics page for an `Accept` header and a query: content type and page."""

Probe = Callable[[], Sequence[str]]
"""Tells the reasons why not, one sentence each; none means all is well."""

Environ = Mapping[str, Any]

# Sent in pieces, as the server copies what is left of a piece each time the kernel takes a part of it.
_PIECE = 64 * 1024
_COMPRESSION = 4

_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Landing:
    """What the landing page says of the program; `links` are further ones, as text and address."""

    name: str = "kcl-flowlog"
    description: str = "VPC Flow Logs from Kinesis to Prometheus counters per subnet"
    version: str = __version__
    links: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Pages:
    """What is served, and under which path the metrics are."""

    telemetry_path: str
    render: Render
    healthy: Probe
    ready: Probe
    landing: Landing = field(default_factory=Landing)


class Scrapes:
    """Keeps the book of scrapes, by many threads."""

    def __init__(self) -> None:
        self.answered = 0
        self._begun = 0
        self._awaited: list[tuple[int, threading.Event]] = []
        self._lock = threading.Lock()

    def begin(self) -> int:
        """Return the number of the scrape that begins now."""
        with self._lock:
            self._begun += 1
            return self._begun

    def end(self, number: int) -> None:
        """Note that this one was sent to its last byte."""
        with self._lock:
            self.answered += 1
            for event in [event for after, event in self._awaited if number > after]:
                event.set()
            self._awaited = [(after, event) for after, event in self._awaited if number <= after]

    def next(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call was sent to its last byte."""
        event = threading.Event()
        with self._lock:
            self._awaited.append((self._begun, event))
        return event


@dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


def _text(status: HTTPStatus, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    return _Answer(status, "".join(f"{line}\n" for line in lines).encode(), headers=headers)


class Application:
    """The WSGI application."""

    def __init__(self, pages: Pages, web: Callable[[], Web], scrapes: Scrapes) -> None:
        self._pages = pages
        self._web = web
        self._scrapes = scrapes
        self._auth = BasicAuth()
        self._paths: Mapping[str, Callable[[Environ], _Answer]] = {
            "/": self._landing,
            "/-/healthy": lambda _: _probed(pages.healthy()),
            "/-/ready": lambda _: _probed(pages.ready()),
            pages.telemetry_path: self._metrics,
        }

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        number = self._scrapes.begin() if self._is_whole_scrape(environ) else None
        config = self._web().config
        answer = self._answer(environ, config.users)
        head = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
            *config.headers,
        ]
        start_response(f"{answer.status.value} {answer.status.phrase}", head)
        log.debug(
            "%s %s %s: %d, %d bytes",
            environ["REMOTE_ADDR"],
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            answer.status,
            len(answer.body),
        )
        if environ["REQUEST_METHOD"] == "HEAD":
            return ()
        return self._sent(answer, number)

    def _is_whole_scrape(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] == "GET"
            and environ["PATH_INFO"] == self._pages.telemetry_path
            and "name[]" not in parse_qs(environ["QUERY_STRING"])
        )

    def _sent(self, answer: _Answer, number: int | None) -> Iterator[bytes]:
        """Give the body in pieces; the server comes back for the next when it has sent one."""
        for start in range(0, len(answer.body), _PIECE):
            yield answer.body[start : start + _PIECE]
        if number is not None and answer.status is HTTPStatus.OK:
            self._scrapes.end(number)

    def _answer(self, environ: Environ, users: Mapping[str, str]) -> _Answer:
        if users and not self._auth.admits(users, environ.get("HTTP_AUTHORIZATION", "")):
            return _text(
                HTTPStatus.UNAUTHORIZED, "Unauthorized", headers=(("WWW-Authenticate", 'Basic realm="kcl-flowlog"'),)
            )
        page = self._paths.get(environ["PATH_INFO"])
        if page is None:
            return _text(HTTPStatus.NOT_FOUND, "Not found")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _text(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD", headers=(("Allow", "GET, HEAD"),))
        try:
            return page(environ)
        except Exception:
            # The next scrape may well succeed, and meanwhile flow logs are counted.
            log.exception("The page %s can't be made", environ["PATH_INFO"])
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "This page can't be made; the log says why.")

    def _metrics(self, environ: Environ) -> _Answer:
        query = parse_qs(environ["QUERY_STRING"])
        content_type, body = self._pages.render(environ.get("HTTP_ACCEPT", ""), query)
        headers = [("Vary", "Accept, Accept-Encoding")]
        if _accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = gzip.compress(body, _COMPRESSION)
            headers.append(("Content-Encoding", "gzip"))
        return _Answer(HTTPStatus.OK, body, content_type, tuple(headers))

    def _landing(self, _: Environ) -> _Answer:
        page = _landing_page(self._pages, self._pages.healthy(), self._pages.ready())
        return _Answer(HTTPStatus.OK, page.encode(), _HTML)


def _probed(reasons: Sequence[str]) -> _Answer:
    if reasons:
        return _text(HTTPStatus.SERVICE_UNAVAILABLE, *reasons)
    return _text(HTTPStatus.OK, "OK")


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters) is None
    return False


_LANDING = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #222; }}
header {{ background: #e6522c; color: #fff; padding: 1rem 1.5rem; }}
h1 {{ font-size: 1.5rem; font-weight: normal; margin: 0; }}
main {{ max-width: 50rem; padding: 0.5rem 1.5rem; }}
h2 {{ font-size: 1.1rem; }}
a {{ color: #b3380f; }}
.yes {{ color: #11632f; font-weight: bold; }}
.no {{ color: #a11; font-weight: bold; }}
</style>
</head>
<body>
<header><h1>{name}</h1></header>
<main>
<p>{description}</p>
<p>Version: {version}</p>
<h2>Status</h2>
<ul>
{status}
</ul>
<h2>Pages</h2>
<ul>
{links}
</ul>
</main>
</body>
</html>
"""


def _landing_page(pages: Pages, why_unhealthy: Sequence[str], why_not_ready: Sequence[str]) -> str:
    landing = pages.landing
    # Relative, so that they hold behind a proxy that serves us under a path of its own.
    ours = [("Metrics", pages.telemetry_path), ("Health", "/-/healthy"), ("Readiness", "/-/ready")]
    links = [*((text, path.lstrip("/")) for text, path in ours), *landing.links]
    return _LANDING.format(
        name=html.escape(landing.name),
        description=html.escape(landing.description),
        version=html.escape(landing.version),
        status="\n".join(
            [
                _status("Healthy", why_unhealthy),
                _status("Ready", why_not_ready),
            ]
        ),
        links="\n".join(f'<li><a href="{html.escape(to)}">{html.escape(text)}</a></li>' for text, to in links),
    )


def _status(question: str, reasons: Sequence[str]) -> str:
    if not reasons:
        return f'<li>{question}: <span class="yes">yes</span></li>'
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons)
    return f'<li>{question}: <span class="no">no</span><ul>{items}</ul></li>'
