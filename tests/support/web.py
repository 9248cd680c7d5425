"""A web server's contents for tests, and clients that ask for them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kcl_flowlog.web.overview import Overview
from kcl_flowlog.web.pages import Pages
from kcl_flowlog.web.server import WebServer
from kcl_flowlog.web.who_page import WhoSource
from tests.support.certificates import Authority, Issued
from tests.support.overviews import EMPTY
from tests.support.waiting import PATIENCE

TEXT = "text/plain; version=0.0.4; charset=utf-8"
PAGE = b"flowlog_shards_held 2.0\n"

# A timeout that outlasts a test: what the server ends sooner, it does not end because of the timeout.
LONG = 3600.0

Serve = Callable[..., WebServer]
"""Starts a server: the fixture `serve`."""

Write = Callable[[str], Path]
"""Writes a web configuration file and returns its path: the fixture `write`."""

Render = Callable[[str, Mapping[str, Sequence[str]]], tuple[str, Sequence[bytes]]]


class FakeContents:
    """What the pages show. A test changes it at any time; `requests` are the arguments of each rendering."""

    def __init__(self) -> None:
        self.page = PAGE
        self.requests: list[tuple[str, Mapping[str, Sequence[str]]]] = []
        self.unhealthy: list[str] = []
        self.not_ready: list[str] = []
        self.overview: Overview = EMPTY
        self.overviews_read = 0
        self.who: WhoSource | None = None
        self.are_probes_open = False
        self.render: Render = self.render_page

    def render_page(self, accept: str, query: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[bytes]]:
        self.requests.append((accept, query))
        return TEXT, [self.page]

    def read_overview(self) -> Overview:
        self.overviews_read += 1
        return self.overview

    def pages(self, telemetry_path: str = "/metrics") -> Pages:
        return Pages(
            telemetry_path,
            lambda accept, query: self.render(accept, query),
            lambda: self.unhealthy,
            lambda: self.not_ready,
            self.read_overview,
            self.are_probes_open,
            self.who,
        )


class Response(NamedTuple):
    """An HTTP response."""

    status: int
    headers: Message
    body: bytes


class Served(Protocol):
    """A web server in this or another process."""

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1."""


class ServedElsewhere(NamedTuple):
    """The server of another process."""

    port: int


def connect(server: Served) -> socket.socket:
    """Return a connection on which nothing was sent."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)


def get(server: Served, path: str = "/metrics", context: ssl.SSLContext | None = None, **options: Any) -> Response:
    """Make one request on a new connection. `options` are those of `http.client.HTTPConnection.request`."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", server.port, timeout=PATIENCE, context=context)
    )
    with contextlib.closing(connection):
        connection.request("GET", path, **options)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())


def trusting(authority: Authority, client: Issued | None = None) -> ssl.SSLContext:
    """Return the context of a client that trusts the authority, and may have a certificate itself."""
    context = ssl.create_default_context(cafile=authority.cert)
    if client is not None:
        context.load_cert_chain(client.cert, client.key)
    return context


def basic(credentials: str) -> str:
    """Return an `Authorization` header for `user:password`."""
    return "Basic " + base64.b64encode(credentials.encode()).decode()
