"""A client's socket, plain or with TLS, for coroutines.

Data goes from the page to the kernel without a copy in between, so a client
that does not read holds no memory but its page. What goes wrong is an
`OSError`. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_RECEIVED_BYTES = 16 * 1024
# Large, as each call competes with a rendering for Python's lock.
_SENT_BYTES = 256 * 1024
# The kernel would keep up to 4 MB for each client that does not read.
_KERNEL_BYTES = 256 * 1024


class ClientSocket:
    """A connected socket. Ending the waiting task ends an operation; after that the socket can only be closed."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._loop = asyncio.get_running_loop()
        connected.setblocking(False)
        # Otherwise the second part of a response waits until the client has acknowledged the first.
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)

    async def first_byte(self) -> bytes:
        """Return the first byte, which stays unread; empty if the client has closed."""
        return await self._retry(lambda: self._socket.recv(1, socket.MSG_PEEK), is_reading=True)

    async def encrypt(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake."""
        encrypted = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        self._socket = encrypted
        await self._retry(encrypted.do_handshake, is_reading=True)

    async def receive(self) -> bytes:
        """Return what the client has sent; empty if it has closed."""
        return await self._retry(lambda: self._socket.recv(_RECEIVED_BYTES), is_reading=True)

    async def send(self, data: bytes) -> None:
        """Hand all of the data to the kernel."""
        rest = memoryview(data)
        while rest:
            part = rest[:_SENT_BYTES]
            sent = await self._retry(lambda part=part: self._socket.send(part), is_reading=False)  # type: ignore[misc]
            rest = rest[sent:]

    async def end(self) -> None:
        """Tell the client that nothing follows, and wait until it has closed."""
        # Closing a socket with unread data would discard the response on its way.
        self._socket.shutdown(socket.SHUT_WR)
        while await self.receive():
            pass

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close()

    async def _retry(self, operation: Callable[[], T], is_reading: bool) -> T:
        # Also a client that always has data lets the others have their turn.
        await asyncio.sleep(0)
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                await self._ready(is_reading=True)
            except ssl.SSLWantWriteError:
                await self._ready(is_reading=False)
            except BlockingIOError:
                await self._ready(is_reading)

    async def _ready(self, is_reading: bool) -> None:
        loop, descriptor = self._loop, self._socket.fileno()
        add, remove = (loop.add_reader, loop.remove_reader) if is_reading else (loop.add_writer, loop.remove_writer)
        is_ready = asyncio.Event()
        add(descriptor, is_ready.set)
        try:
            await is_ready.wait()
        finally:
            remove(descriptor)
