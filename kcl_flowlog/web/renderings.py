"""One rendering of the metrics for all clients that wait for it.

A request joins a rendering only if that has not begun, so no scrape gets a
page that is older than its request. While a rendering is under way, the
requests that arrive share the next rendering. Requests for different pages
(another `Accept` header or query) share nothing.

A rendering that fails is a 500 for everybody who waits, and an error in the
log. Belongs to the event loop's thread, except the rendering itself.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

from isal import isal_zlib

from kcl_flowlog.web.exchange import Request, Response, failure
from kcl_flowlog.web.worker import Job, Worker

log = logging.getLogger(__name__)

Render = Callable[[str, Mapping[str, Sequence[str]]], tuple[str, Sequence[bytes]]]
"""Makes the metrics page from an `Accept` header and a query. Returns content type and body, in parts."""

_GZIP_LEVEL = 2
_GZIP_WINDOW = 16 + 15


@dataclass(eq=False)
class _Rendering:
    """A page to make, and in which encodings; more can be added until it begins."""

    path: str
    accept: str
    query: str
    is_gzip_wanted: bool = False
    is_plain_wanted: bool = False

    def want(self, is_gzip: bool) -> None:
        self.is_gzip_wanted |= is_gzip
        self.is_plain_wanted |= not is_gzip

    def make(self, render: Render) -> Mapping[bool, Response]:
        """Return the responses, by whether the client accepts gzip. Never raises."""
        try:
            return self._make(render)
        except Exception:
            # The next scrape may succeed, and flow logs are counted all the same.
            log.exception("Cannot make a page", extra={"fields": {"path": self.path}})
            return {False: failure(), True: failure()}

    def _make(self, render: Render) -> Mapping[bool, Response]:
        content_type, body = render(self.accept, parse_qs(self.query))
        plain = Response(HTTPStatus.OK, body, content_type, (("Vary", "Accept, Accept-Encoding"),))
        responses = {False: plain} if self.is_plain_wanted else {}
        if self.is_gzip_wanted:
            headers = (*plain.headers, ("Content-Encoding", "gzip"))
            responses[True] = replace(plain, body=[compressed(body)], headers=headers)
        return responses


class Renderings:
    """Makes the metrics page, once for all requests that can share it."""

    def __init__(self, render: Render, worker: Worker) -> None:
        self._render = render
        self._worker = worker
        self._not_begun: dict[tuple[str, str], tuple[_Rendering, Job[Mapping[bool, Response]]]] = {}

    async def page(self, request: Request) -> Response:
        """Return the page for a request, rendered after this call."""
        key = (request.header("accept"), request.query)
        if key not in self._not_begun:
            rendering = _Rendering(request.path, *key)
            when_taken = partial(self._not_begun.__delitem__, key)
            self._not_begun[key] = rendering, Job(partial(rendering.make, self._render), when_taken)
        rendering, job = self._not_begun[key]
        is_gzip = _accepts_gzip(request.header("accept-encoding"))
        rendering.want(is_gzip)
        responses = await self._worker.join(job, request.network)
        return responses[is_gzip]


def compressed(parts: Sequence[bytes]) -> bytes:
    """Return a page as gzip."""
    compressor = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    return b"".join([*map(compressor.compress, parts), compressor.flush()])


def _accepts_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() == "gzip":
            return re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters) is None
    return False
