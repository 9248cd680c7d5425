"""Sums by series, kept as numbers until they are added to a delta.

The labels of a series are packed into one number, by the table `DIMENSIONS`; the place of an interface's series begins
at a multiple of their product. Promises exact sums: what could exceed 64 bits is added to the delta before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np

from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic
from kcl_flowlog.counting.flow_record import ACTIONS, OTHER_PROTOCOL, PROTOCOL_NAMES
from kcl_flowlog.counting.known_interface import EGRESS, INGRESS, UNKNOWN
from kcl_flowlog.counting.paths import PATHS
from kcl_flowlog.counting.peers import PEERS

ACTION_NAMES: Final = tuple(ACTIONS.values())
PROTOCOL_LABELS: Final = (*PROTOCOL_NAMES.values(), OTHER_PROTOCOL)
PEER_NAMES: Final = tuple(PEERS)
# Only egress has a path.
WAYS: Final = ((INGRESS, UNKNOWN), *((EGRESS, path) for path in PATHS))
"""Directions, each with a path."""

DIMENSIONS: Final = (WAYS, ACTION_NAMES, PROTOCOL_LABELS, PEER_NAMES)
"""The labels of a series besides subnet and type of the interface; the last changes fastest."""
_SIZES = tuple(map(len, DIMENSIONS))
SERIES: Final = int(np.prod(_SIZES))
"""The series that a subnet may have for each type of interface."""
# In the order of `Traffic`.
_LABELS = tuple((way[0], action, protocol, peer, way[1]) for way, action, protocol, peer in product(*DIMENSIONS))

# Most pairs of a subnet and a type that have sums at a time.
_MAX_SLOTS: Final = 256
_MOST = 2**62

_NO_CELLS: Final[Integers] = np.zeros(0, np.int64)

Slot = tuple[str, str]
"""A subnet, and a type of interfaces."""


class Sums:
    """The sums of traffic and of rejected ports; `ports` are the watched ports and the word for all others."""

    def __init__(self, ports: tuple[str, ...]) -> None:
        self._ports = ports
        self._slots: dict[Slot, int] = {}
        # One cell more, for lines that are not counted.
        self.nowhere: Final = _MAX_SLOTS * SERIES
        self._flows, self._packets, self._bytes = (_NO_CELLS,) * 3
        self._rejected: Counter[int] = Counter()
        # At least the largest sum.
        self._bound = 0

    @property
    def rows(self) -> int:
        """The number of rows that the sums have in a delta."""
        used = self._flows[: len(self._slots) * SERIES]
        return int(np.count_nonzero(used)) + len(self._rejected)

    def begin(self, slots: Sequence[Slot], most: int, lines: int, delta: Delta) -> list[int]:
        """Return the first series of each slot, -1 if there is no room for it.

        Lines with numbers up to `most` follow. If there is too little room for them, all sums are added to the delta.
        """
        if self._flows is _NO_CELLS:
            # Only now: a counter of a rare format may never need them.
            self._flows, self._packets, self._bytes = (np.zeros(self.nowhere + 1, np.int64) for _ in range(3))
        new = {slot for slot in slots if slot not in self._slots}
        if len(self._slots) + len(new) > _MAX_SLOTS or self._bound + most * lines > _MOST:
            self.move_to(delta)
        self._bound += most * lines
        found = []
        for slot in slots:
            number = self._slots.get(slot, len(self._slots))
            if number < _MAX_SLOTS:
                self._slots[slot] = number
            found.append(number * SERIES if number < _MAX_SLOTS else -1)
        return found

    def add(self, series: Integers, packets: Integers, octets: Integers) -> None:
        """Count lines, each for a series or `nowhere`."""
        np.add.at(self._flows, series, 1)
        np.add.at(self._packets, series, packets)
        np.add.at(self._bytes, series, octets)

    def add_rejected(self, series: Integers, ports: Integers) -> None:
        """Count rejected lines of ports, given by their place in `ports`."""
        # The peer does not matter.
        self._rejected.update((series // _SIZES[-1] * len(self._ports) + ports).tolist())

    def move_to(self, delta: Delta) -> None:
        """Add all sums to a delta, and begin anew."""
        if not self._slots:
            return
        slots = [*self._slots]
        heads, ends = ([slot[place : place + 1] for slot in slots] for place in (0, 1))
        # Finding numbers that are not 0 takes far longer than finding what is true.
        used = np.flatnonzero(self._flows[: len(slots) * SERIES] != 0)
        sums = np.stack((self._flows[used], self._packets[used], self._bytes[used]), 1).tolist()
        places, labels_of = (column.tolist() for column in np.divmod(used, SERIES))
        # As `Traffic(…)`, which is slower; likewise below.
        new = tuple.__new__
        series = [
            new(Traffic, heads[place] + _LABELS[labels] + ends[place])
            for place, labels in zip(places, labels_of, strict=True)
        ]
        delta.add_sums(series, sums)
        for key_of_port, number in self._rejected.items():
            rest, port = divmod(key_of_port, len(self._ports))
            place, labels = divmod(rest * _SIZES[-1], SERIES)
            direction, _, protocol, _, _ = _LABELS[labels]
            found = new(RejectedPort, (slots[place][0], direction, protocol, self._ports[port]))
            delta.rejected_ports[found] += number
        for cells in (self._flows, self._packets, self._bytes):
            cells[used] = 0
            cells[self.nowhere] = 0
        self._slots.clear()
        self._rejected.clear()
        self._bound = 0


def series_of(way: Integers, action: Integers, protocol: Integers, peer: Integers) -> Integers:
    """Return the places of the labels among the series of a subnet."""
    _, actions, protocols, peers = _SIZES
    return ((way * actions + action) * protocols + protocol) * peers + peer
