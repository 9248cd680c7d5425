"""The pages of the sidecar as a WSGI application: metrics, health, and a landing page.

Knows no server, no registry and no daemon: what it shows is asked of the
functions in `Pages`. A function that fails makes a 500 and a line in the log,
and nothing else stops.
"""

from __future__ import annotations

import gzip
import html
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from kcl_flowlog import __version__

log = logging.getLogger(__name__)

TEXT = "text/plain; charset=utf-8"
Headers = list[tuple[str, str]]
StartResponse = Callable[[str, Headers], Any]


@dataclass(frozen=True)
class Pages:
    """What is shown, and where. `healthy` and `ready` return the reasons why not, each a sentence."""

    telemetry_path: str
    render: Callable[[str, list[str]], tuple[str, bytes]]
    healthy: Callable[[], list[str]]
    ready: Callable[[], list[str]]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, before it is compressed."""

    status: str
    content_type: str
    body: bytes


class Application:
    """The WSGI application. `scrapes_answered` counts the metrics pages that were sent to their end."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._lock = threading.Lock()
        self.scrapes_answered = 0
        self._routes: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/": self._landing,
            "/-/healthy": lambda environ: _probe("Healthy", pages.healthy()),
            "/-/ready": lambda environ: _probe("Ready", pages.ready()),
            pages.telemetry_path: self._metrics,
        }

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "/")
        answer = self._answer(path, environ)
        body, headers = _encoded(answer, environ.get("HTTP_ACCEPT_ENCODING", ""))
        start_response(answer.status, [*headers, ("Content-Length", str(len(body)))])
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        scraped = path == self._pages.telemetry_path and answer.status.startswith("200")
        return _Body(body, self._count_scrape if scraped else None)

    def _answer(self, path: str, environ: dict[str, Any]) -> Answer:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Answer("405 Method Not Allowed", TEXT, b"Only GET and HEAD are served here.\n")
        route = self._routes.get(path)
        if route is None:
            return Answer("404 Not Found", TEXT, b"There is no such page; / lists those there are.\n")
        try:
            return route(environ)
        except Exception:
            log.exception("The page %s could not be made", path)
            return Answer("500 Internal Server Error", TEXT, b"This page could not be made; the log says why.\n")

    def _metrics(self, environ: dict[str, Any]) -> Answer:
        names = parse_qs(environ.get("QUERY_STRING", "")).get("name[]", [])
        content_type, body = self._pages.render(environ.get("HTTP_ACCEPT", ""), names)
        return Answer("200 OK", content_type, body)

    def _landing(self, environ: dict[str, Any]) -> Answer:
        state = self._pages.healthy() + self._pages.ready() or ["Counting."]
        page = _LANDING.format(
            version=html.escape(__version__),
            telemetry_path=html.escape(self._pages.telemetry_path, quote=True),
            state="".join(f"<li>{html.escape(reason)}</li>" for reason in state),
        )
        return Answer("200 OK", "text/html; charset=utf-8", page.encode())

    def _count_scrape(self) -> None:
        with self._lock:
            self.scrapes_answered += 1


class _Body:
    """A body that tells when it was sent: a WSGI server closes it after its last byte."""

    def __init__(self, body: bytes, when_sent: Callable[[], None] | None) -> None:
        self._body = body
        self._when_sent = when_sent
        self._was_read = False

    def __iter__(self) -> Iterator[bytes]:
        yield self._body
        self._was_read = True

    def close(self) -> None:
        if self._was_read and self._when_sent is not None:
            self._when_sent()


def _probe(good: str, reasons: list[str]) -> Answer:
    if reasons:
        return Answer("503 Service Unavailable", TEXT, "".join(f"{reason}\n" for reason in reasons).encode())
    return Answer("200 OK", TEXT, f"{good}.\n".encode())


def _encoded(answer: Answer, accepted: str) -> tuple[bytes, Headers]:
    headers = [("Content-Type", answer.content_type), ("Vary", "Accept, Accept-Encoding")]
    if any(coding.strip().partition(";")[0].strip() == "gzip" for coding in accepted.lower().split(",")):
        return gzip.compress(answer.body, 6), [*headers, ("Content-Encoding", "gzip")]
    return answer.body, headers


_LANDING = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>kcl-flowlog</title>
<style>
body {{ margin: 0; font-family: system-ui, sans-serif; color: #222; }}
header {{ background: #e6522c; color: #fff; padding: 1rem 2rem; }}
h1 {{ margin: 0; font-size: 1.6rem; }}
main {{ padding: 1rem 2rem; max-width: 50rem; line-height: 1.5; }}
a {{ color: #b03a18; }}
</style>
</head>
<body>
<header><h1>kcl-flowlog</h1></header>
<main>
<p>VPC Flow Logs from a Kinesis stream, counted per subnet. Version {version}.</p>
<ul>{state}</ul>
<ul>
<li><a href="{telemetry_path}">Metrics</a></li>
<li><a href="/-/healthy">Health</a></li>
<li><a href="/-/ready">Readiness</a></li>
</ul>
</main>
</body>
</html>
"""
