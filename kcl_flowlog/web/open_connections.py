"""The open connections, and which is closed if there are too many.

A newcomer is never refused. If its network has too many connections, or all
networks together, the network with the most connections loses its slowest,
which is the connection that has waited longest for its client. So a client
that is quick and alone in its network keeps its connection, however many the
others open.

Clients that read slowly hold their pages in memory. If these pages grow too
large together, the client that has read longest loses its connection.

Belongs to the event loop's thread. Knows no socket and no HTTP; never raises.
"""

from __future__ import annotations

import enum
import ipaddress
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kcl_flowlog.web.occasional_warning import OccasionalWarning


class Phase(enum.Enum):
    """What a connection waits for."""

    RECEIVING = "its client's request"
    MAKING = "its page"
    SENDING = "its client's reading"


@dataclass(eq=False)
class OpenConnection:
    """A connection, and since when it has been in its phase. `close` ends it soon, without an exception."""

    network: str
    close: Callable[[], object]
    since: float
    phase: Phase = Phase.RECEIVING
    body: Sequence[bytes] = field(default=(), repr=False)


@dataclass(frozen=True)
class Limits:
    """How many connections may be open, in all and from each network, and how many bytes of pages they may hold."""

    connections: int
    of_network: int
    page_bytes: int


class OpenConnections:
    """Keeps the connections within the limits."""

    def __init__(self, limits: Limits, warn: OccasionalWarning) -> None:
        self._limits = limits
        self._warn = warn
        self._connections: list[OpenConnection] = []
        self._is_stopping = False

    def add(self, connection: OpenConnection) -> None:
        """Add a new connection. It stays; others may have to go."""
        self._connections.append(connection)
        others = [other for other in self._connections if other is not connection]
        if sum(other.network == connection.network for other in others) >= self._limits.of_network:
            self._close_slowest([other for other in others if other.network == connection.network])
        elif len(others) >= self._limits.connections:
            self._close_slowest(self._of_largest_network())

    def remove(self, connection: OpenConnection) -> None:
        """Forget a connection that has ended."""
        if connection in self._connections:
            self._connections.remove(connection)

    def begin_receiving(self, connection: OpenConnection, now: float) -> None:
        """Note that a connection waits for a request from now on."""
        connection.phase, connection.since, connection.body = Phase.RECEIVING, now, ()
        if self._is_stopping:
            connection.close()

    def begin_making(self, connection: OpenConnection, now: float) -> None:
        """Note that a connection waits for its page from now on."""
        connection.phase, connection.since = Phase.MAKING, now

    def begin_sending(self, connection: OpenConnection, body: Sequence[bytes], now: float) -> None:
        """Note that a connection sends its page from now on."""
        connection.phase, connection.since, connection.body = Phase.SENDING, now, body
        while self._page_bytes() > self._limits.page_bytes:
            others = [other for other in self._connections if other.body and other is not connection]
            if not others:
                return
            self._close_slowest(others)

    def close_one(self) -> None:
        """Close the slowest connection that waits for its client, if there is any."""
        idle = [connection for connection in self._of_largest_network() if connection.phase is not Phase.MAKING]
        if idle:
            self._close_slowest(idle)

    def stop(self) -> None:
        """Close the connections that wait for a request; the others close after their answer."""
        self._is_stopping = True
        for connection in self._connections:
            if connection.phase is Phase.RECEIVING:
                connection.close()

    def _page_bytes(self) -> int:
        # Clients that share a rendering hold the same page. Pages that share parts count in full: that is quicker, and
        # the next scrape may change these parts.
        bodies = {id(other.body): other.body for other in self._connections}
        return sum(sum(map(len, body)) for body in bodies.values())

    def _of_largest_network(self) -> list[OpenConnection]:
        sizes = Counter(connection.network for connection in self._connections)
        largest = max(sizes, key=sizes.__getitem__, default="")
        return [connection for connection in self._connections if connection.network == largest]

    def _close_slowest(self, candidates: Sequence[OpenConnection]) -> None:
        # A client that waits for its page is not slow; it goes only if all others are gone.
        slowest = min(candidates, key=lambda connection: (connection.phase is Phase.MAKING, connection.since))
        self._warn("Too many connections; closed the slowest", network=slowest.network, waited_for=slowest.phase.value)
        self.remove(slowest)
        slowest.close()


def network_of(host: str) -> str:
    """Return the group of addresses that counts as a single client: an IPv4 address, or an IPv6 network of 64 bits."""
    address = ipaddress.ip_address(host)
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    # A single machine usually has all addresses of such a network.
    return str(ipaddress.ip_network((int(address), 64), strict=False))
