"""The HTTP server beside the daemon: /metrics, /-/healthy, /-/ready and a landing page.

Promises that no client, however slow or silent, holds up a scrape, and that
it is known when a scrape was fully answered. Knows nothing of metrics: the
pages come from outside, as functions. What can't be listened on or read at
the start is a `ConfigError`; a page that fails is a 500 and a line in the
log, and the server goes on.
"""

from __future__ import annotations

import gzip
import html
import logging
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.wsgi import Server

from kcl_flowlog import __version__
from kcl_flowlog.basicauth import BasicAuth
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.webconfig import Web, WebConfigKeeper

log = logging.getLogger(__name__)

Render = Callable[[str, Mapping[str, Sequence[str]]], tuple[str, bytes]]
"""Makes the metrics page for an `Accept` header and a query: content type and page."""

Probe = Callable[[], Sequence[str]]
"""Tells the reasons why not, one sentence each; none means all is well."""

Environ = Mapping[str, Any]

# How long a client may be silent, between two requests as well as within a handshake or a request.
_PATIENCE = 5
# Silent clients need no thread, but those that stop within a request do.
_THREADS = 24
_MOST_WAITING_CONNECTIONS = 256
_LONGEST_HEADER = 64 * 1024
_LONGEST_BODY = 64 * 1024
_BACKLOG = 128
_STOP_PATIENCE = 2
# Sent in pieces, as the server copies what is left of a piece each time the kernel takes a part of it.
_PIECE = 64 * 1024
_COMPRESSION = 4
_TLS_HANDSHAKE = b"\x16"

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


class Sidecar:
    """The server, in threads of its own. Nothing happens before `start`.

    `address` is host and port, an empty host for all addresses, port 0 for any free one. `web_config_file` may be
    empty; else TLS, headers and users come from that file, which is read again whenever it changes.
    """

    def __init__(self, address: tuple[str, int], pages: Pages, web_config_file: str = "") -> None:
        self._address = address
        self._pages = pages
        self._web_config_file = web_config_file
        self._scrapes = _Scrapes()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._is_tls = False

    def start(self) -> None:
        """Listen, and serve from now on. Raises `ConfigError`."""
        web = WebConfigKeeper(self._web_config_file)
        self._is_tls = web.current().context is not None
        self._server = server = _Server(listen(*self._address), _App(self._pages, web.current, self._scrapes), web)
        prepared = threading.Event()
        # The server's threads are daemons because this one is, which starts them.
        self._thread = threading.Thread(target=_serve, args=(server, prepared), name="sidecar", daemon=True)
        self._thread.start()
        prepared.wait()

    def stop(self) -> None:
        """End all connections and threads; requests on their way get 2 seconds to end. May be called at any time."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join()
        self._server = self._thread = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._address[1] if self._server is None else int(self._server.bind_addr[1])

    @property
    def url(self) -> str:
        """The address of the metrics, for a person on this host."""
        host = self._address[0] or "localhost"
        if ":" in host:
            host = f"[{host}]"
        return f"{'https' if self._is_tls else 'http'}://{host}:{self.port}{self._pages.telemetry_path}"

    @property
    def scrapes_answered(self) -> int:
        """How many scrapes of the whole metrics page have been sent to their last byte."""
        return self._scrapes.answered

    def next_scrape(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call has been sent to its last byte."""
        return self._scrapes.next()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; an empty host means all addresses, of IPv6 as well where the host has it."""
    try:
        if host:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
                0
            ]
            return socket.create_server(address, family=family, backlog=_BACKLOG)
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        return socket.create_server(("", port), backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise ConfigError(f"--web.listen-address {shown!r} can't be listened on: {_why(error)}.") from None


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    return "there is no such host"


class _Scrapes:
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
        event = threading.Event()
        with self._lock:
            self._awaited.append((self._begun, event))
        return event


# What is answered


@dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()


def _text(status: HTTPStatus, *lines: str, headers: tuple[tuple[str, str], ...] = ()) -> _Answer:
    return _Answer(status, "".join(f"{line}\n" for line in lines).encode(), headers=headers)


class _App:
    """The WSGI application."""

    def __init__(self, pages: Pages, web: Callable[[], Web], scrapes: _Scrapes) -> None:
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


# How it gets there


def _serve(server: _Server, prepared: threading.Event) -> None:
    try:
        server.prepare()
    finally:
        prepared.set()
    server.serve()


class _Server(Server):
    """cheroot's server, on a socket that listens already.

    cheroot makes the TLS handshake where it accepts, so that one silent client stops all; and it gives a thread to
    each new connection before it has said anything. Here both wait among the idle connections, which need no thread,
    until the client speaks.
    """

    def __init__(self, listening: socket.socket, app: _App, web: WebConfigKeeper) -> None:
        super().__init__(
            listening.getsockname()[:2],
            app,
            numthreads=_THREADS,
            server_name="kcl-flowlog",
            request_queue_size=_BACKLOG,
            timeout=_PATIENCE,
            shutdown_timeout=_STOP_PATIENCE,
        )
        self.ConnectionClass = _Connection
        self.keep_alive_conn_limit = _MOST_WAITING_CONNECTIONS
        self.max_request_header_size = _LONGEST_HEADER
        self.max_request_body_size = _LONGEST_BODY
        self.web = web
        self._listening = listening

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """Take the socket that listens already."""
        # Or else an answer's second part would wait for the client to acknowledge the first.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self._listening
        return self._listening

    def process_conn(self, conn: _Connection) -> None:
        """Give a connection to a thread, once its client has spoken."""
        if not conn.is_new:
            super().process_conn(conn)
            return
        conn.is_new = False
        if self.can_add_keepalive_connection:
            self.put_conn(conn)
        else:
            conn.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Write what cheroot has to say to our log: what clients do wrong is for debugging."""
        log.log(level if level >= logging.ERROR else logging.DEBUG, "%s", msg, exc_info=traceback)


class _Connection(HTTPConnection):
    """A connection that makes its TLS handshake in the thread that serves it."""

    def __init__(self, server: _Server, sock: socket.socket, makefile: Callable[..., Any] = MakeFile) -> None:
        super().__init__(server, sock, makefile)
        self.is_new = True
        self._is_open = False

    def communicate(self) -> bool:
        """Take the next step; tell whether to keep the connection."""
        try:
            if not self._is_open:
                self._is_open = True
                context = self.server.web.current().context
                if context is not None:
                    return self._encrypt(context)
            return bool(super().communicate())  # type: ignore[no-untyped-call]
        except OSError as error:
            log.debug("The connection from %s broke: %s", self.remote_addr, error)
            return False

    def _encrypt(self, context: ssl.SSLContext) -> bool:
        if self.socket.recv(1, socket.MSG_PEEK) not in (_TLS_HANDSHAKE, b""):
            # What is left unread when a connection closes takes the answer with it.
            self.socket.recv(_LONGEST_HEADER)
            self.socket.sendall(_SPEAK_TLS)
            return False
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.rfile, self.wfile = MakeFile(self.socket, "rb"), MakeFile(self.socket, "wb")
        self.socket.do_handshake()
        # The request may take its time as well.
        return True

    def close(self) -> None:
        """Close all of it; a failure would end the thread that served it."""
        # The writer may hold what could not be sent; left to the garbage collector, it would complain there.
        for close in (super().close, self.wfile.close, self.socket.close):
            with suppress(OSError):
                close()


_SPEAK_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 38\r\n\r\n"
    b"This port speaks HTTPS, and only that\n"
)
