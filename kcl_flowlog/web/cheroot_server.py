"""cheroot's HTTP server, changed so that no client holds up another.

cheroot does the TLS handshake in the thread that accepts connections, where a
single silent client stops all others; and it gives every new connection a
worker thread before the client has sent anything. Here both wait among the
idle connections, which need no thread, until the client sends its first byte.

What goes wrong with a connection ends that connection. The home of cheroot.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.wsgi import Server

from kcl_flowlog.web.listening import BACKLOG

log = logging.getLogger(__name__)

# Idle clients need no thread; clients that stop within a request do.
_WORKER_THREADS = 24
_MAX_IDLE_CONNECTIONS = 256
_MAX_HEADER_BYTES = 64 * 1024
_MAX_BODY_BYTES = 64 * 1024
_TLS_HANDSHAKE = b"\x16"


class CherootServer(Server):
    """An HTTP server on a socket that listens already.

    `tls_context` returns the context for a new connection, or None for plain HTTP. A client that sends nothing for
    `client_timeout` seconds is disconnected. `stop` gives requests `stop_timeout` seconds to finish.
    """

    def __init__(
        self,
        listening: socket.socket,
        application: Callable[..., Any],
        tls_context: Callable[[], ssl.SSLContext | None],
        client_timeout: float,
        stop_timeout: float,
    ) -> None:
        super().__init__(
            listening.getsockname()[:2],
            application,
            numthreads=_WORKER_THREADS,
            server_name="kcl-flowlog",
            request_queue_size=BACKLOG,
        )
        # cheroot's constructor is typed for whole seconds only.
        self.timeout, self.shutdown_timeout = client_timeout, stop_timeout
        self.ConnectionClass = _Connection
        self.keep_alive_conn_limit = _MAX_IDLE_CONNECTIONS
        self.max_request_header_size = _MAX_HEADER_BYTES
        self.max_request_body_size = _MAX_BODY_BYTES
        self.tls_context = tls_context
        self._listening = listening

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """Return the listening socket instead of making one."""
        # Otherwise the second part of a response waits until the client has acknowledged the first.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self._listening
        return self._listening

    def process_conn(self, conn: _Connection) -> None:
        """Put a new connection among the idle ones; give it to a worker thread once the client sends something."""
        if not conn.is_new:
            super().process_conn(conn)
            return
        conn.is_new = False
        if self.can_add_keepalive_connection:
            self.put_conn(conn)
        else:
            conn.close()

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """Log what cheroot reports; anything below an error is a client's mistake, for debugging only."""
        log.log(level if level >= logging.ERROR else logging.DEBUG, "%s", msg, exc_info=traceback)


class _Connection(HTTPConnection):
    """A connection that does its TLS handshake in a worker thread."""

    def __init__(self, server: CherootServer, sock: socket.socket, makefile: Callable[..., Any] = MakeFile) -> None:
        super().__init__(server, sock, makefile)
        self.is_new = True
        self._has_begun = False

    def communicate(self) -> bool:
        """Do the handshake or answer a request. Returns whether to keep the connection."""
        try:
            if not self._has_begun:
                self._has_begun = True
                context = self.server.tls_context()
                if context is not None:
                    return self._encrypt(context)
            return bool(super().communicate())  # type: ignore[no-untyped-call]
        except OSError as error:
            log.debug("Connection broke", extra={"fields": {"client": self.remote_addr, "error": str(error)}})
            return False

    def _encrypt(self, context: ssl.SSLContext) -> bool:
        if self.socket.recv(1, socket.MSG_PEEK) not in (_TLS_HANDSHAKE, b""):
            # Closing a connection with unread data would discard the response.
            self.socket.recv(_MAX_HEADER_BYTES)
            self.socket.sendall(_HTTPS_ONLY)
            return False
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.rfile, self.wfile = MakeFile(self.socket, "rb"), MakeFile(self.socket, "wb")
        self.socket.do_handshake()
        # The connection becomes idle again until the request comes.
        return True

    def close(self) -> None:
        """Close the connection and its files; ignore failures, as they would end the worker thread."""
        # The writer may hold unsent data, and would complain if the garbage collector closed it.
        for close in (super().close, self.wfile.close, self.socket.close):
            with suppress(OSError):
                close()


_HTTPS_ONLY = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 28\r\n\r\n"
    b"This port speaks only HTTPS\n"
)
