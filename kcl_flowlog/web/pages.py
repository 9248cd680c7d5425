"""The pages: metrics, health checks, an overview, and who sent what.

Counts a scrape only after its last byte was sent. Knows neither the HTTP
server nor the metrics: functions from outside make the contents. A page that
fails becomes a 500 and an error in the log; the other pages keep working.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

from kcl_flowlog.web import overview_page, who_page
from kcl_flowlog.web.basic_auth import MAX_WAITING, BasicAuth, Verdict
from kcl_flowlog.web.exchange import Request, Response, failure, text
from kcl_flowlog.web.kept_page import KeptPage
from kcl_flowlog.web.overview import Overview
from kcl_flowlog.web.rate_limit import RateLimiter
from kcl_flowlog.web.renderings import Render, Renderings
from kcl_flowlog.web.scrapes import Scrapes
from kcl_flowlog.web.web_config import WebConfig
from kcl_flowlog.web.who_page import WhoSource
from kcl_flowlog.web.worker import TooManyWaiting, Worker

log = logging.getLogger(__name__)

Check = Callable[[], Sequence[str]]
"""Returns the reasons why a check fails, one sentence each; none if it passes."""

Handler = Callable[[Request], Awaitable[Response]]
"""Answers the requests for a page."""

_MOST_WAITING_FOR_PEERS = 16

_TOO_MANY = text(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests; try again.", headers=(("Retry-After", "1"),))
_REFUSALS = {
    Verdict.REJECTED: text(
        HTTPStatus.UNAUTHORIZED, "Unauthorized", headers=(("WWW-Authenticate", 'Basic realm="kcl-flowlog"'),)
    ),
    Verdict.BUSY: text(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many passwords are being checked; try again.",
        headers=(("Retry-After", "1"),),
    ),
}


@dataclass(frozen=True)
class Pages:
    """The contents to serve; the metrics are under `telemetry_path`.

    With `are_probes_open`, the health checks answer requests without credentials by a word, although there are users.
    Without `who`, there are no pages about that.
    """

    telemetry_path: str
    render: Render
    healthy: Check
    ready: Check
    overview: Callable[[], Overview]
    are_probes_open: bool = False
    who: WhoSource | None = None


class Application:
    """Answers requests. `web_config` returns the users and headers in force, for each request anew.

    Passwords, metrics, pages that ask peers, and all others have a thread each, so none of them waits for another.
    """

    def __init__(self, pages: Pages, web_config: Callable[[], WebConfig], scrapes: Scrapes) -> None:
        self._pages = pages
        self._web_config = web_config
        self._scrapes = scrapes
        auth_worker, metrics_worker, self._page_worker, self._peers_worker = self._workers = (
            Worker("web-passwords", MAX_WAITING),
            Worker("web-metrics"),
            Worker("web-pages"),
            Worker("web-peers", _MOST_WAITING_FOR_PEERS),
        )
        self._auth = BasicAuth(auth_worker)
        self._limiter = RateLimiter()
        self._renderings = Renderings(pages.render, metrics_worker)
        self._overviews = {refreshes: KeptPage(partial(self._overview, refreshes)) for refreshes in (True, False)}
        self._handlers: Mapping[str, Handler] = {
            "/": self._overview_page,
            **self._probes(shows_reasons=True),
            **self._who_pages(pages.who),
            pages.telemetry_path: self._renderings.page,
        }
        self._open_handlers = self._probes(shows_reasons=False)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        scrape = self._scrapes.begin() if self._is_full_scrape(request) else None
        config = self._web_config()
        limit = config.rate_limit
        if limit is not None and not self._limiter.allows(limit, request.network):
            response = _TOO_MANY
        else:
            response = await self._response(request, config.users)
        _log_request(request, response)
        if scrape is not None and response.status is HTTPStatus.OK:
            response = replace(response, when_sent=partial(self._scrapes.end, scrape))
        return replace(response, headers=(*response.headers, *config.headers))

    def stop(self) -> None:
        """End the threads once they have done what they do now."""
        for worker in self._workers:
            worker.stop()

    def _is_full_scrape(self, request: Request) -> bool:
        return (
            request.method == "GET"
            and request.path == self._pages.telemetry_path
            and "name[]" not in parse_qs(request.query)
        )

    async def _response(self, request: Request, users: Mapping[str, str]) -> Response:
        handlers = self._handlers
        if users and self._is_open_probe(request):
            handlers = self._open_handlers
        elif users:
            verdict = await self._auth.check(users, request.header("authorization"), request.network)
            if verdict is not Verdict.ACCEPTED:
                return _REFUSALS[verdict]
        handler = handlers.get(request.path)
        if handler is None:
            return text(HTTPStatus.NOT_FOUND, "Not found")
        if request.method not in ("GET", "HEAD"):
            return text(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD", headers=(("Allow", "GET, HEAD"),))
        return await handler(request)

    def _probes(self, shows_reasons: bool) -> Mapping[str, Handler]:
        checks = {"/-/healthy": self._pages.healthy, "/-/ready": self._pages.ready}
        return {path: partial(self._page, partial(_check, check, shows_reasons)) for path, check in checks.items()}

    def _is_open_probe(self, request: Request) -> bool:
        is_probe = request.path in self._open_handlers
        return self._pages.are_probes_open and is_probe and not request.header("authorization")

    async def _page(self, make: Callable[[], Response], request: Request) -> Response:
        return await self._page_worker.do(partial(_attempt, make, request.path), request.network)

    def _who_pages(self, source: WhoSource | None) -> Mapping[str, Handler]:
        if source is None:
            return {}
        made = {who_page.PATH: who_page.page, who_page.API_PATH: who_page.api}
        return {path: partial(self._who_page, partial(make, source)) for path, make in made.items()}

    async def _who_page(self, make: Callable[[str], Response], request: Request) -> Response:
        # Two instances that ask each other must not wait for each other.
        asks_nobody = request.path == who_page.API_PATH and who_page.asks_nobody(request.query)
        worker = self._page_worker if asks_nobody else self._peers_worker
        try:
            return await worker.do(partial(_attempt, partial(make, request.query), request.path), request.network)
        except TooManyWaiting:
            return _TOO_MANY

    async def _overview_page(self, request: Request) -> Response:
        return await self._page(self._overviews[overview_page.does_refresh(request.query)], request)

    def _overview(self, refreshes: bool) -> Response:
        pages = self._pages
        frame = overview_page.Frame(pages.telemetry_path, pages.who is not None, refreshes)
        return overview_page.page(pages.overview(), frame, pages.healthy(), pages.ready())


def _attempt(make: Callable[[], Response], path: str) -> Response:
    try:
        return make()
    except Exception:
        # The next request may succeed, and flow logs are counted all the same.
        log.exception("Cannot make a page", extra={"fields": {"path": path}})
        return failure()


def _check(check: Check, shows_reasons: bool) -> Response:
    reasons = check()
    if reasons:
        # The reasons name shards and accounts.
        return text(HTTPStatus.SERVICE_UNAVAILABLE, *(reasons if shows_reasons else ("Failed",)))
    return text(HTTPStatus.OK, "OK")


def _log_request(request: Request, response: Response) -> None:
    fields = {
        "client": request.client,
        "method": request.method,
        "path": request.path,
        "status": response.status.value,
        "bytes": response.size,
    }
    log.debug("Answered a request", extra={"fields": fields})
