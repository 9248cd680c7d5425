"""The conversation with a client: TLS handshake, requests and responses, each within its time.

h11 reads and writes HTTP/1.1; the home of h11. What is not HTTP, or too large,
gets a short 4xx, and the connection ends. So it does after every other fault
of a client, without a response. It also ends after an answer if the TLS settings
have changed since it began.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import unquote

import h11

from kcl_flowlog.web.client_socket import ClientSocket
from kcl_flowlog.web.exchange import Request, Response, text
from kcl_flowlog.web.open_connections import OpenConnection, OpenConnections

log = logging.getLogger(__name__)

_MAX_HEADER_BYTES = 16 * 1024
_MAX_BODY_BYTES = 64 * 1024
# How long a client may take to read the last response of a connection.
_END_TIMEOUT = 2.0
_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Service:
    """What connections share.

    `client_timeout` limits, in seconds, each of: the TLS handshake, the wait for a request's first byte, and a whole
    request. `answer_timeout` limits a whole answer, from the request's end to the last byte.
    """

    answer: Callable[[Request], Awaitable[Response]]
    tls_context: Callable[[], ssl.SSLContext | None]
    connections: OpenConnections
    client_timeout: float
    answer_timeout: float


class Connection:
    """A connection with a client. It is among the open connections while `run` runs, and may be closed by them."""

    def __init__(self, service: Service, client: ClientSocket, host: str, entry: OpenConnection) -> None:
        self._service = service
        self._client = client
        self._host = host
        self._entry = entry
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEADER_BYTES)
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._tls_context: ssl.SSLContext | None = None

    async def run(self) -> None:
        """Answer requests until the client or a timeout ends the connection."""
        try:
            self._limit_time(self._service.client_timeout)
            if await self._is_readable():
                while await self._answer_next():
                    pass
            self._service.connections.begin_receiving(self._entry, self._loop.time())
            self._limit_time(_END_TIMEOUT)
            await self._client.end()
        except OSError as error:
            log.debug("Connection broke", extra={"fields": {"client": self._host, "error": str(error)}})
        except Exception:
            log.exception("Connection failed", extra={"fields": {"client": self._host}})
        finally:
            if self._deadline is not None:
                self._deadline.cancel()

    def _limit_time(self, seconds: float) -> None:
        """End the connection after that time, unless another limit comes first."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self._entry.close)

    async def _is_readable(self) -> bool:
        """Do the TLS handshake if TLS is in force. Returns False if the client does not speak TLS."""
        context = self._service.tls_context()
        if context is None:
            return True
        if await self._client.first_byte() not in (_TLS_HANDSHAKE, b""):
            await self._client.send(_HTTPS_ONLY)
            return False
        # The file may have changed while the client was silent.
        self._tls_context = self._service.tls_context() or context
        await self._client.encrypt(self._tls_context)
        return True

    async def _answer_next(self) -> bool:
        """Receive and answer a request. Returns whether another may follow."""
        try:
            received = await self._receive()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            await self._send(text(status, status.phrase))
            return False
        if received is None:
            return False
        self._service.connections.begin_making(self._entry, self._loop.time())
        self._limit_time(self._service.answer_timeout)
        request = self._request(received)
        response = await self._service.answer(request)
        if self._service.tls_context() is not self._tls_context:
            # Otherwise a client could keep a connection without TLS, or with the old rules, for as long as it likes.
            response = replace(response, headers=(*response.headers, ("Connection", "close")))
        await self._send(response, has_body=request.method != "HEAD")
        if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
            return False
        self._http.start_next_cycle()
        return True

    async def _receive(self) -> h11.Request | None:
        """Return a complete request; None if the client has closed the connection."""
        self._service.connections.begin_receiving(self._entry, self._loop.time())
        self._limit_time(self._service.client_timeout)
        request, has_begun, body_bytes = None, False, 0
        while not isinstance(event := self._http.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body_bytes += len(event.data)
                if body_bytes > _MAX_BODY_BYTES:
                    raise h11.RemoteProtocolError("Too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                self._http.receive_data(await self._client.receive())
                if not has_begun:
                    # From the first byte on, for the whole request: the time does not begin anew with each byte.
                    self._limit_time(self._service.client_timeout)
                    has_begun = True
        return request

    def _request(self, received: h11.Request) -> Request:
        path, _, query = received.target.decode("ascii").partition("?")
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in received.headers]
        return Request(received.method.decode("ascii"), unquote(path), query, headers, self._host, self._entry.network)

    async def _send(self, response: Response, has_body: bool = True) -> None:
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Server", "kcl-flowlog"),
            ("Content-Type", response.content_type),
            ("Content-Length", str(response.size)),
            *response.headers,
        ]
        status = response.status
        head = self._http.send(h11.Response(status_code=status.value, reason=status.phrase, headers=headers))
        body = response.body if has_body else ()
        self._service.connections.begin_sending(self._entry, body, self._loop.time())
        await self._client.send(head or b"")
        for part in body:
            self._http.send_with_data_passthrough(h11.Data(data=part))
            await self._client.send(part)
        self._http.send(h11.EndOfMessage())
        response.when_sent()


_HTTPS_ONLY = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 28\r\n\r\n"
    b"This port speaks only HTTPS\n"
)
