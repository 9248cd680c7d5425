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

# Most pairs of a subnet and a type that have sums at a time, and about as many series.
_MAX_SLOTS: Final = 512
_MAX_ROWS: Final = 32_768
MOST: Final = 2**62
"""No sum may exceed this."""

# Row 0 means that a series has no row yet; row 1 is for lines that are not counted.
_NO_ROW, _NOWHERE, _FIRST_ROW = range(3)

Slot = tuple[str, str]
"""A subnet, and a type of interfaces."""


class Sums:
    """The sums of traffic and of rejected ports; `ports` are the watched ports and the word for all others.

    Rows and labels of series are kept for the next delta, as most series are in each.
    """

    def __init__(self, ports: tuple[str, ...]) -> None:
        self._ports = ports
        self._slots: list[Slot] = []
        self._number_of: dict[Slot, int] = {}
        # The place of lines that are not counted.
        self.nowhere: Final = _MAX_SLOTS * SERIES
        # Few of the possible series are used: these have sums and labels, row by row, and all others four bytes.
        self._row_of: NDArray[np.int32] = np.zeros(0, np.int32)
        self._sums: Integers = np.zeros((_FIRST_ROW, 3), np.int64)
        self._labels: list[Traffic] = []
        self._rejected: Counter[int] = Counter()
        self._rejected_labels: dict[int, RejectedPort] = {}
        # At least the largest sum.
        self._bound = 0

    @property
    def rows(self) -> int:
        """The number of rows that the sums have in a delta."""
        return int(np.count_nonzero(self._sums[_FIRST_ROW:, 0])) + len(self._rejected)

    def begin(self, slots: Sequence[Slot], most: int, lines: int, delta: Delta) -> list[int]:
        """Return the first series of each slot, -1 if there is no room for it.

        Lines with numbers up to `most` follow, `MOST` all together. If there is too little room for them, all sums are
        added to the delta.
        """
        if not len(self._row_of):
            # Only now: a counter of a rare format may never need them.
            self._row_of = np.zeros(self.nowhere + 1, np.int32)
            self._row_of[self.nowhere] = _NOWHERE
        new = {slot for slot in slots if slot not in self._number_of}
        kept = max(len(self._labels), len(self._rejected_labels))
        has_room = len(self._slots) + len(new) <= _MAX_SLOTS and kept <= _MAX_ROWS
        if not has_room or self._bound + most * lines > MOST:
            self.move_to(delta)
        if not has_room:
            self._forget()
        self._bound += most * lines
        found = []
        for slot in slots:
            if slot not in self._number_of and len(self._slots) < _MAX_SLOTS:
                self._number_of[slot] = len(self._slots)
                self._slots.append(slot)
            number = self._number_of.get(slot)
            found.append(-1 if number is None else number * SERIES)
        return found

    def add(self, series: Integers, packets: Integers, octets: Integers) -> None:
        """Count lines, each for a series or `nowhere`."""
        rows = self._row_of.take(series).astype(np.int64)
        without_row = np.flatnonzero(rows == _NO_ROW)
        if len(without_row):
            rows[without_row] = self._begin_rows(series[without_row])
        flows, packets_of_row, octets_of_row = self._sums.T
        np.add.at(flows, rows, 1)
        np.add.at(packets_of_row, rows, packets)
        np.add.at(octets_of_row, rows, octets)

    def _begin_rows(self, series: Integers) -> NDArray[np.int32]:
        """Give a row to each of some series without a row; return the rows."""
        # Of lines of the same series, one finds its own number there.
        lines = np.arange(len(series), dtype=np.int32)
        self._row_of[series] = lines
        new = series[self._row_of.take(series) == lines]
        self._row_of[new] = np.arange(len(self._sums), len(self._sums) + len(new))
        self._sums = np.concatenate((self._sums, np.zeros((len(new), 3), np.int64)))
        for place, labels in zip(*(column.tolist() for column in np.divmod(new, SERIES)), strict=True):
            subnet_id, interface_type = self._slots[place]
            direction, action, protocol, peer, path = _LABELS[labels]
            self._labels.append(Traffic(subnet_id, direction, action, protocol, peer, path, interface_type))
        return self._row_of.take(series)

    def add_rejected(self, series: Integers, ports: Integers) -> None:
        """Count rejected lines of ports, given by their place in `ports`."""
        # The peer does not matter.
        self._rejected.update((series // _SIZES[-1] * len(self._ports) + ports).tolist())

    def move_to(self, delta: Delta) -> None:
        """Add all sums to a delta, and begin anew."""
        # Finding numbers that are not 0 takes far longer than finding what is true.
        used = np.flatnonzero(self._sums[_FIRST_ROW:, 0] != 0)
        labels = self._labels
        delta.add_sums([labels[row] for row in used.tolist()], self._sums[used + _FIRST_ROW].tolist())
        for key, number in self._rejected.items():
            rejected = self._rejected_labels.get(key)
            if rejected is None:
                rejected = self._rejected_labels[key] = self._rejected_port(key)
            # A counter's `+=` is slower for what it lacks.
            delta.rejected_ports[rejected] = delta.rejected_ports.get(rejected, 0) + number
        self._sums[:] = 0
        self._rejected.clear()
        self._bound = 0

    def _rejected_port(self, key: int) -> RejectedPort:
        rest, port = divmod(key, len(self._ports))
        place, labels = divmod(rest, SERIES // _SIZES[-1])
        direction, _, protocol, _, _ = _LABELS[labels * _SIZES[-1]]
        return RejectedPort(self._slots[place][0], direction, protocol, self._ports[port])

    def _forget(self) -> None:
        """Forget all slots and series, which have no sums."""
        self._row_of[: len(self._slots) * SERIES] = _NO_ROW
        self._sums = self._sums[:_FIRST_ROW]
        self._labels.clear()
        self._rejected_labels.clear()
        self._slots.clear()
        self._number_of.clear()


def series_of(way: Integers, action: Integers, protocol: Integers, peer: Integers) -> Integers:
    """Return the places of the labels among the series of a subnet."""
    _, actions, protocols, peers = _SIZES
    return ((way * actions + action) * protocols + protocol) * peers + peer
