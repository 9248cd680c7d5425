"""A TLS handshake of a server's and a client's context, in one thread."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from typing import NamedTuple

# A handshake takes three turns of each side.
_MAX_TURNS = 20


class Shaken(NamedTuple):
    """The version and the suite of a handshake, as the server sees them; empty if it failed."""

    version: str = ""
    suite: str = ""


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> Shaken:
    """Return the outcome of a handshake."""
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        for end in ends:
            end.setblocking(False)
        serving, asking = (
            server.wrap_socket(ends[0], server_side=True, do_handshake_on_connect=False),
            client.wrap_socket(ends[1], server_hostname="127.0.0.1", do_handshake_on_connect=False),
        )
        stack.enter_context(serving)
        stack.enter_context(asking)
        waiting = [asking, serving]
        for _ in range(_MAX_TURNS):
            for side in list(waiting):
                try:
                    side.do_handshake()
                    waiting.remove(side)
                except ssl.SSLWantReadError:
                    continue
                except OSError:
                    return Shaken()
            if not waiting:
                cipher = serving.cipher()
                return Shaken(serving.version() or "", cipher[0] if cipher else "")
    return Shaken()
