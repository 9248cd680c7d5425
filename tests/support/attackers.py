"""Clients that hold up a web server: each kind opens connections and keeps them until the test ends.

They come from the scraper's own address, which is worse for the scraper than another address.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from tests.support.web import Served, connect

# The first bytes of a TLS handshake.
HELLO = b"\x16\x03\x01"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Target:
    """The server to attack; with a context, it speaks TLS. The connections close with the stack."""

    server: Served
    context: ssl.SSLContext | None
    stack: contextlib.ExitStack

    def open(self, number: int) -> list[socket.socket]:
        """Return connections on which nothing was sent."""
        return [self.stack.enter_context(connect(self.server)) for _ in range(number)]

    def open_for_requests(self, number: int) -> list[socket.socket]:
        """Return connections after the handshake, if there is any."""
        if self.context is None:
            return self.open(number)
        wrap = partial(self.context.wrap_socket, server_hostname="127.0.0.1")
        return [self.stack.enter_context(wrap(client)) for client in self.open(number)]


def silent(target: Target) -> None:
    """300 clients send nothing."""
    target.open(300)


def stuck_in_the_handshake(target: Target) -> None:
    """60 clients send the first bytes of a TLS handshake."""
    for client in target.open(60):
        _send(client, HELLO)


def never_reading(target: Target) -> None:
    """50 clients request the page, and read nothing of it."""
    for client in target.open_for_requests(50):
        _send(client, REQUEST)


def dribbling(target: Target) -> None:
    """50 clients send a request that never ends, a byte every two seconds, and come again after a disconnect."""
    clients = target.open_for_requests(50)
    is_over = threading.Event()

    def dribble() -> None:
        while not is_over.wait(2.0):
            for place, client in enumerate(clients):
                if not _send(client, b"G"):
                    client.close()
                    with contextlib.suppress(OSError):
                        clients[place : place + 1] = target.open_for_requests(1)

    thread = threading.Thread(target=dribble)
    target.stack.callback(thread.join)
    target.stack.callback(is_over.set)
    for client in clients:
        _send(client, b"G")
    thread.start()


Attack = Callable[[Target], None]
"""Attacks until the target's stack closes."""

ATTACKS: dict[str, Sequence[Attack]] = {
    "silent": [silent],
    "dribbling": [dribbling],
    "never-reading": [never_reading],
    "stuck-in-the-handshake": [stuck_in_the_handshake],
    "all-together": [silent, stuck_in_the_handshake, never_reading, dribbling],
}


@contextlib.contextmanager
def under(attack: str, server: Served, context: ssl.SSLContext | None = None) -> Iterator[None]:
    """Attack while the block runs."""
    with contextlib.ExitStack() as stack:
        for begin in ATTACKS[attack]:
            begin(Target(server, context, stack))
        yield


def _send(client: socket.socket, data: bytes) -> bool:
    """Send, and return whether the server has kept the connection."""
    try:
        client.sendall(data)
    except OSError:
        return False
    return True
