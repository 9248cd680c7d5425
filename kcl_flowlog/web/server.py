"""The HTTP server beside the daemon, in threads of the launcher.

Promises that no client, however slow or silent, holds up a scrape. Knows
nothing of what the pages say. What can't be listened on or read at the start
is a `ConfigError`; what goes wrong with one connection ends that connection.

The home of cheroot.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.wsgi import Server

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.web.pages import Application, Pages, Scrapes
from kcl_flowlog.web.web_config import WebConfigKeeper

log = logging.getLogger(__name__)

# How long a client may be silent, between two requests as well as within a handshake or a request.
_PATIENCE = 5
# Silent clients need no thread, but those that stop within a request do.
_THREADS = 24
_MOST_WAITING_CONNECTIONS = 256
_LONGEST_HEADER = 64 * 1024
_LONGEST_BODY = 64 * 1024
_BACKLOG = 128
_STOP_PATIENCE = 2
_TLS_HANDSHAKE = b"\x16"


class WebServer:
    """The server, in threads of its own. Nothing happens before `start`.

    `address` is host and port, an empty host for all addresses, port 0 for any free one. `web_config_file` may be
    empty; else TLS, headers and users come from that file, which is read again whenever it changes.
    """

    def __init__(self, address: tuple[str, int], pages: Pages, web_config_file: str = "") -> None:
        self._address = address
        self._pages = pages
        self._web_config_file = web_config_file
        self._scrapes = Scrapes()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._is_tls = False

    def start(self) -> None:
        """Listen, and serve from now on. Raises `ConfigError`."""
        web = WebConfigKeeper(self._web_config_file)
        self._is_tls = web.current().context is not None
        self._server = server = _Server(
            listen(*self._address), Application(self._pages, web.current, self._scrapes), web
        )
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

    def __init__(self, listening: socket.socket, app: Application, web: WebConfigKeeper) -> None:
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
