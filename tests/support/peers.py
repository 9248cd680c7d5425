"""Peers for tests: connections on which the other side has already said all that it will say, and answers to give."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence

from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.sketches import Sketches
from kcl_flowlog.peers.client_files import ClientFiles
from kcl_flowlog.peers.fleet import Fleet
from kcl_flowlog.peers.own_answer import OwnAnswer, encode
from kcl_flowlog.values import parse_peer
from kcl_flowlog.web.who_report import SubnetLine
from tests.counting.who.truth import sketch_of

SUBNET = "subnet-a"
FLOWS = [("198.51.100.7", "10.0.1.10", "22")]


def own_answer(instance: str, sketch: Sketches | bytes | None = None, **changed: object) -> OwnAnswer:
    """Return what an instance knows of one subnet."""
    known: dict[str, object] = {
        "instance": instance,
        "application": "flow-logs",
        "subnets": [SubnetLine(SUBNET, "web", "vpc-1", 1, 1)],
        "is_known": True,
        "name": "web",
        "vpc_id": "vpc-1",
        "sketch": sketch if isinstance(sketch, bytes) else sketches.encode(sketch or sketch_of(FLOWS)),
    }
    return OwnAnswer(**{**known, **changed})  # type: ignore[arg-type]


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Return an HTTP response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def answering(instance: str, **changed: object) -> bytes:
    """Return the HTTP response of an instance."""
    return response(encode(own_answer(instance, **changed)))  # type: ignore[arg-type]


class Saying:
    """Connects to hosts that say what is given: bytes and then the end, or an error instead of a connection.

    A host that is given bytes and `...` says them and hangs.
    """

    def __init__(self, said: Mapping[str, bytes | OSError | tuple[bytes, object]]) -> None:
        self.said = said
        self.connected: list[str] = []
        self.others: list[socket.socket] = []

    def __call__(self, address: tuple[str, int], _: float) -> socket.socket:
        host, _port = address
        self.connected.append(host)
        said = self.said[host]
        if isinstance(said, OSError):
            raise said
        this, other = socket.socketpair()
        # Before it says anything, so that a large answer does not block.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
        self.others.append(other)
        other.sendall(said if isinstance(said, bytes) else said[0])
        if isinstance(said, bytes):
            other.shutdown(socket.SHUT_WR)
        return this

    def requests(self) -> list[bytes]:
        """Return what each host was sent."""
        return [other.recv(65536) for other in self.others]

    def close(self) -> None:
        """Close the other sides."""
        with contextlib.ExitStack() as stack:
            for other in self.others:
                stack.enter_context(contextlib.closing(other))


def fleet(
    connect: Saying,
    *urls: str,
    names: Mapping[str, Sequence[str] | OSError] | None = None,
    files: ClientFiles | None = None,
    timeout: float = 60.0,
) -> Fleet:
    """Return a fleet of peers that answer by `connect`, and of names by `names`."""

    def resolve(host: str, _: int) -> Sequence[str]:
        found = (names or {})[host]
        if isinstance(found, OSError):
            raise found
        return found

    return Fleet(tuple(map(parse_peer, urls)), files or ClientFiles(), timeout, resolve, connect)
