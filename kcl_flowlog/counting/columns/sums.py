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
from numpy.typing import NDArray

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

# Most pairs of a subnet and a type that have sums at a time, and most series and lines.
_MAX_SLOTS: Final = 512
_MAX_ROWS: Final = 131_072
_MOST: Final = 2**62

# Of the rows of sums, 0 means that a series has none yet, and one is for lines that are not counted.
_NO_ROW, _NOWHERE, _FIRST_ROW = range(3)

Slot = tuple[str, str]
"""A subnet, and a type of interfaces."""


class Sums:
    """The sums of traffic and of rejected ports; `ports` are the watched ports and the word for all others."""

    def __init__(self, ports: tuple[str, ...]) -> None:
        self._ports = ports
        self._slots: dict[Slot, int] = {}
        # The place of lines that are not counted.
        self.nowhere: Final = _MAX_SLOTS * SERIES
        # Few of the possible series are used: those have sums, row by row, and all others four bytes.
        self._row_of: NDArray[np.int32] = np.zeros(0, np.int32)
        self._series = self._sums = np.zeros(0, np.int64)
        self._end = _FIRST_ROW
        self._rejected: Counter[int] = Counter()
        # At least the largest sum.
        self._bound = 0

    @property
    def rows(self) -> int:
        """The number of rows that the sums have in a delta."""
        return self._end - _FIRST_ROW + len(self._rejected)

    def begin(self, slots: Sequence[Slot], most: int, lines: int, delta: Delta) -> list[int]:
        """Return the first series of each slot, -1 if there is no room for it.

        Lines with numbers up to `most` follow. If there is too little room for them, all sums are added to the delta.
        """
        if not len(self._row_of):
            # Only now: a counter of a rare format may never need them.
            self._row_of = np.zeros(self.nowhere + 1, np.int32)
            self._row_of[self.nowhere] = _NOWHERE
            self._series = np.zeros(_MAX_ROWS, np.int64)
            self._sums = np.zeros((_MAX_ROWS, 3), np.int64)
        new = {slot for slot in slots if slot not in self._slots}
        has_room = len(self._slots) + len(new) <= _MAX_SLOTS and self._end + lines <= _MAX_ROWS
        if not has_room or self._bound + most * lines > _MOST:
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
        rows = self._row_of.take(series).astype(np.int64)
        without_row = np.flatnonzero(rows == _NO_ROW)
        if len(without_row):
            rows[without_row] = self._begin_rows(series[without_row])
        for column, numbers in enumerate((1, packets, octets)):
            np.add.at(self._sums[:, column], rows, numbers)

    def _begin_rows(self, series: Integers) -> NDArray[np.int32]:
        """Give a row to each of some series that have none; return the rows."""
        # Of lines of the same series, one finds its own number there.
        lines = np.arange(len(series), dtype=np.int32)
        self._row_of[series] = lines
        new = series[self._row_of.take(series) == lines]
        end = self._end + len(new)
        self._row_of[new] = np.arange(self._end, end)
        self._series[self._end : end] = new
        self._end = end
        return self._row_of.take(series)

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
        used = self._series[_FIRST_ROW : self._end]
        places, labels_of = (column.tolist() for column in np.divmod(used, SERIES))
        # As `Traffic(…)`, which is slower; likewise below.
        new = tuple.__new__
        series = [
            new(Traffic, heads[place] + _LABELS[labels] + ends[place])
            for place, labels in zip(places, labels_of, strict=True)
        ]
        delta.add_sums(series, self._sums[_FIRST_ROW : self._end].tolist())
        self._move_rejected(slots, delta)
        self._row_of[used] = _NO_ROW
        self._sums[: self._end] = 0
        self._end = _FIRST_ROW
        self._slots.clear()
        self._bound = 0

    def _move_rejected(self, slots: Sequence[Slot], delta: Delta) -> None:
        new, ports = tuple.__new__, self._ports
        total = delta.rejected_ports
        for key_of_port, number in self._rejected.items():
            rest, port = divmod(key_of_port, len(ports))
            place, labels = divmod(rest, SERIES // _SIZES[-1])
            direction, _, protocol, _, _ = _LABELS[labels * _SIZES[-1]]
            series = new(RejectedPort, (slots[place][0], direction, protocol, ports[port]))
            # A counter's `+=` is slower for what it lacks.
            total[series] = total.get(series, 0) + number
        self._rejected.clear()


def series_of(way: Integers, action: Integers, protocol: Integers, peer: Integers) -> Integers:
    """Return the places of the labels among the series of a subnet."""
    _, actions, protocols, peers = _SIZES
    return ((way * actions + action) * protocols + protocol) * peers + peer
