"""One request and its whole answer as bytes, within a time and a size, whatever the other side does.

Knows nothing of HTTP but that the answer ends with the connection. Raises `OSError`, of which `TimeoutError` means
that the time is over. Imports little, as the health check starts every few seconds.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

Left = Callable[[], float]
"""Returns how many seconds are left, more than 0. Raises `TimeoutError`."""

_RECEIVED_BYTES = 64 * 1024


def seconds_left(timeout: float, clock: Callable[[], float] = time.monotonic) -> Left:
    """Return what tells how much is left of a time that begins now."""
    deadline = clock() + timeout

    def left() -> float:
        seconds = deadline - clock()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    return left


# Six things make an exchange; a class for them would have one method.
def exchange(
    plain: socket.socket,
    request: bytes,
    left: Left,
    most_bytes: int,
    context: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> bytes:
    """Send a request on a connection, and return what comes until its end, at least `most_bytes` if there is more."""
    with closing(plain):
        plain.settimeout(left())
        with closing(context.wrap_socket(plain, server_hostname=server_name) if context else plain) as connection:
            connection.settimeout(left())
            connection.sendall(request)
            return _receive(connection, left, most_bytes)


def _receive(connection: socket.socket, left: Left, most_bytes: int) -> bytes:
    received = bytearray()
    while len(received) < most_bytes:
        connection.settimeout(left())
        part = connection.recv(_RECEIVED_BYTES)
        if not part:
            break
        received += part
    return bytes(received)
