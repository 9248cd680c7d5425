"""The traffic of the last hour by subnet, minute by minute, in memory: for the page at /.

Gets the totals each minute and keeps what they have grown by. A subnet takes about a kilobyte; without traffic for an
hour it takes nothing. Begins empty. Safe to use from several threads; does no I/O.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Iterable, Mapping

from kcl_flowlog.commits.totals import TrafficTotal
from kcl_flowlog.web.overview import HOUR, Minutes

Sums = tuple[int, int, int, int]
"""Accepted bytes in, out and of unknown direction, and rejected flows: the fields of `Minutes`."""

Kept = tuple["array[float]", ...]
"""The same by minute."""

_NOTHING: Sums = (0, 0, 0, 0)
# Where the accepted bytes of a direction are.
_PLACES = {"ingress": 0, "egress": 1}
_UNKNOWN, _REJECTED = 2, 3


class TrafficHistory:
    """Keeps the minutes of each subnet, and of all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: Mapping[str, Sums] | None = None
        self._minutes = 0
        self._all = _empty(0)
        self._subnets: dict[str, Kept] = {}

    def add(self, traffic: Iterable[TrafficTotal]) -> None:
        """Take the totals of now. The first of them only tell where the next began."""
        sums = _sums(traffic)
        with self._lock:
            if self._before is not None:
                grown = {
                    subnet_id: _growth(self._before.get(subnet_id, _NOTHING), now) for subnet_id, now in sums.items()
                }
                self._add_minute({subnet_id: numbers for subnet_id, numbers in grown.items() if any(numbers)})
            self._before = sums

    def read(self) -> tuple[int, Minutes, dict[str, Minutes]]:
        """Return how many minutes are known, and the minutes of all subnets and of each with traffic."""
        with self._lock:
            return self._minutes, _copy(self._all), {name: _copy(kept) for name, kept in self._subnets.items()}

    def _add_minute(self, grown: Mapping[str, Sums]) -> None:
        for subnet_id in grown:
            if subnet_id not in self._subnets:
                self._subnets[subnet_id] = _empty(self._minutes)
        for subnet_id, kept in self._subnets.items():
            _append(kept, grown.get(subnet_id, _NOTHING))
        _append(self._all, [sum(column) for column in zip(*grown.values(), strict=True)] or _NOTHING)
        self._subnets = {name: kept for name, kept in self._subnets.items() if any(map(any, kept))}
        self._minutes = min(HOUR, self._minutes + 1)


def _sums(traffic: Iterable[TrafficTotal]) -> Mapping[str, Sums]:
    sums: dict[str, list[int]] = {}
    for series, flows, _, size, _ in traffic:
        numbers = sums.setdefault(series.subnet_id, [0, 0, 0, 0])
        if series.action == "reject":
            numbers[_REJECTED] += flows
        else:
            numbers[_PLACES.get(series.direction, _UNKNOWN)] += size
    return {subnet_id: (numbers[0], numbers[1], numbers[2], numbers[3]) for subnet_id, numbers in sums.items()}


def _growth(before: Sums, now: Sums) -> Sums:
    # A subnet whose series were dropped begins at 0 again.
    first, second, third, fourth = (max(0, new - old) for old, new in zip(before, now, strict=True))
    return first, second, third, fourth


def _empty(minutes: int) -> Kept:
    return tuple(array("f", [0.0] * minutes) for _ in _NOTHING)


def _append(kept: Kept, numbers: Iterable[float]) -> None:
    for values, number in zip(kept, numbers, strict=True):
        values.append(number)
        del values[:-HOUR]


def _copy(kept: Kept) -> Minutes:
    return Minutes(*(values[:] for values in kept))
