"""Which connection is closed if there are too many."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kcl_flowlog.web.occasional_warning import OccasionalWarning
from kcl_flowlog.web.open_connections import Limits, OpenConnection, OpenConnections, Phase, network_of

RECEIVING, MAKING, SENDING = Phase


class Story:
    """Opens connections at times 0, 1, 2 …; `closed` has the times of those that were closed, in order."""

    def __init__(self, limits: Limits) -> None:
        self.closed: list[float] = []
        self.connections = OpenConnections(limits, OccasionalWarning())
        self._now = 0.0

    def open(self, network: str, phase: Phase = RECEIVING, body: Sequence[bytes] = ()) -> OpenConnection:
        since = self._now
        connection = OpenConnection(network, lambda: self.closed.append(since), since)
        self._now += 1
        self.connections.add(connection)
        if phase is MAKING:
            self.connections.begin_making(connection, since)
        if phase is SENDING:
            self.connections.begin_sending(connection, body, since)
        return connection


@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        # 4 in all, 3 of a network: nothing happens at the limit.
        ([("a", RECEIVING), ("a", SENDING), ("a", MAKING), ("b", RECEIVING)], []),
        # The oldest of its network goes, in whatever phase.
        ([("a", RECEIVING), ("a", RECEIVING), ("a", RECEIVING), ("a", RECEIVING)], [0]),
        ([("b", RECEIVING), ("a", SENDING), ("a", RECEIVING), ("a", RECEIVING), ("a", RECEIVING)], [1]),
        # A client that waits for its page stays as long as others can go …
        ([("a", MAKING), ("a", RECEIVING), ("a", SENDING), ("a", RECEIVING)], [1]),
        # … and goes before a newcomer is refused.
        ([("a", MAKING), ("a", MAKING), ("a", MAKING), ("a", MAKING), ("a", MAKING)], [0, 1]),
        # If all networks together have too many, the largest loses.
        ([("b", RECEIVING), ("a", RECEIVING), ("a", RECEIVING), ("c", RECEIVING), ("c", RECEIVING)], [1]),
        # So a network with a single connection keeps it.
        ([("s", RECEIVING), ("a", RECEIVING), *[("a", RECEIVING), ("b", RECEIVING)] * 3], [1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_the_slowest_of_the_largest_network_makes_room(opened: list[tuple[str, Phase]], closed: list[float]) -> None:
    """The newcomer always stays."""
    story = Story(Limits(connections=4, of_network=3, page_bytes=100))

    for network, phase in opened:
        story.open(network, phase)

    assert closed == story.closed


def test_the_pages_that_slow_clients_hold_are_limited() -> None:
    """The client that has read longest goes; clients of the same rendering hold one page."""
    story, shared = Story(Limits(100, 100, page_bytes=100)), [bytes(20), bytes(40)]

    story.open("a", SENDING, shared)
    story.open("a", SENDING, shared)
    before = list(story.closed)
    story.open("a", SENDING, [bytes(30)])
    story.open("a", SENDING, [bytes(70)])

    assert ([], [0, 1]) == (before, story.closed)


def test_a_page_larger_than_the_limit_is_sent() -> None:
    """All others go."""
    story = Story(Limits(100, 100, page_bytes=100))

    story.open("a", SENDING, [bytes(30)])
    story.open("b", SENDING, [bytes(1000)])

    assert [0] == story.closed


def test_a_missing_descriptor_costs_a_slow_connection() -> None:
    """None goes that waits for its page, as it is not the client that is slow."""
    story = Story(Limits(100, 100, 100))
    for phase in (MAKING, RECEIVING, SENDING):
        story.open("a", phase)

    for _ in range(3):
        story.connections.close_one()

    assert [1, 2] == story.closed


def test_a_connection_that_has_ended_does_not_count() -> None:
    """Removing it twice is harmless."""
    story = Story(Limits(1, 1, 100))
    connection = story.open("a")

    story.connections.remove(connection)
    story.connections.remove(connection)
    story.open("a")

    assert [] == story.closed


def test_a_stop_closes_all_that_have_no_request() -> None:
    """The others close when they would wait for another request."""
    story = Story(Limits(100, 100, 100))
    connections = [story.open("a", phase) for phase in (RECEIVING, MAKING, SENDING)]

    story.connections.stop()
    at_once = list(story.closed)
    story.connections.begin_receiving(connections[2], now=9.0)

    assert ([0], [0, 2]) == (at_once, story.closed)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_network_is_what_a_single_client_may_own(host: str, network: str) -> None:
    """An IPv4 address, or 64 bits of an IPv6 address."""
    assert network == network_of(host)
