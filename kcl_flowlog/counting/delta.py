"""The counts since the last commit.

A `Delta` collects counts in memory. Its `Snapshot` is plain data that the
ledger writes down and later adds to its totals. Knows nothing of shards,
clocks and metrics; adding never fails, and the dead letters are bounded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.known_interface import UNKNOWN

if TYPE_CHECKING:
    # It needs numpy, which the launcher shall not load for a delta.
    from kcl_flowlog.counting.who.collector import Collector

_MAX_DEAD_LETTERS = 1000
_MAX_DEAD_LETTER_BYTES = 4 * 1024 * 1024


class Traffic(NamedTuple):
    """The labels of one traffic series.

    The defaults are for a delta that was prepared when there were fewer labels.
    """

    subnet_id: str
    direction: str
    action: str
    protocol: str
    peer: str
    path: str = UNKNOWN
    interface_type: str = UNKNOWN


class RejectedPort(NamedTuple):
    """The labels of one series of rejected flows by port."""

    subnet_id: str
    direction: str
    protocol: str
    port: str


class Histogram(msgspec.Struct):
    """Observations in each bucket (not cumulative; one more than the bounds), and their sum in seconds."""

    buckets: list[int]
    sum: float = 0.0


class Snapshot(msgspec.Struct):
    """A delta as plain data: what one commit adds to the totals.

    `listed_subnets` are those of its subnets that the inventory lists; any other is only named by records. `who` is a
    sketch of who sent what, as `counting.who.sketches` encodes it, empty if nobody wants to know.
    """

    traffic: list[tuple[Traffic, tuple[int, int, int]]] = []
    rejected_ports: list[tuple[RejectedPort, int]] = []
    counts: list[tuple[str, str, int]] = []
    histograms: dict[str, Histogram] = {}
    dead_letters: list[DeadLetter] = []
    fingerprints: list[bytes] = []
    listed_subnets: list[str] = []
    who: bytes = b""


class Delta:
    """Counts since the last commit; `who` collects who sent what, None if nobody wants to know."""

    def __init__(self, who: Collector | None = None) -> None:
        self.who = who
        # [flows, packets, bytes] of each series.
        self.traffic: dict[Traffic, list[int]] = {}
        self.rejected_ports: Counter[RejectedPort] = Counter()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.histograms: dict[str, Histogram] = {}
        self.dead_letters: list[DeadLetter] = []
        # Of the envelopes that were counted, so that a second delivery is recognised.
        self.fingerprints: list[bytes] = []
        # The subnets that only records name, and, once the delta is complete, those that the inventory lists.
        self.unlisted_subnets: set[str] = set()
        self.listed_subnets: list[str] = []
        self._dead_letter_bytes = 0
        # Of what `who` has collected, once the delta is complete.
        self.sketch = b""

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def size(self) -> int:
        """The number of rows that a commit of this delta writes."""
        return len(self.traffic) + len(self.rejected_ports) + len(self.dead_letters) + len(self.fingerprints)

    def cell(self, series: Traffic) -> list[int]:
        """Return the flows, packets and bytes of a series. The caller adds a flow to them."""
        return self.traffic.setdefault(series, [0, 0, 0])

    def add_flow(self, series: Traffic, packets: int, octets: int) -> None:
        """Count a flow record of `packets` and `octets` bytes."""
        cell = self.cell(series)
        cell[0] += 1
        cell[1] += packets
        cell[2] += octets

    def add_sums(self, series: Sequence[Traffic], sums: Sequence[list[int]]) -> None:
        """Add the flows, packets and bytes of several series, all different. The lists are taken over."""
        traffic = self.traffic
        if not traffic or traffic.keys().isdisjoint(series):
            traffic.update(zip(series, sums, strict=True))
            return
        for each, added in zip(series, sums, strict=True):
            cell = traffic.get(each)
            if cell is None:
                traffic[each] = added
            else:
                cell[0] += added[0]
                cell[1] += added[1]
                cell[2] += added[2]

    def add(self, count: str, label: str = "", number: int = 1) -> None:
        """Add to a count of `counts.py`."""
        self.counts[count, label] += number

    def observe(self, histogram: str, seconds: float) -> None:
        """Add a value to a histogram of `counts.BOUNDS`."""
        cells = self._histogram(histogram)
        cells.buckets[bisect_left(counts.BOUNDS[histogram], seconds)] += 1
        cells.sum += seconds

    def observe_many(self, histogram: str, at_most: Iterable[int], number: int, seconds: float) -> None:
        """Add a number of values: how many of them are at most each bound, and their sum."""
        cells = self._histogram(histogram)
        added = (more - less for less, more in pairwise((0, *at_most, number)))
        cells.buckets = [before + count for before, count in zip(cells.buckets, added, strict=True)]
        cells.sum += seconds

    def add_dead_letter(self, letter: DeadLetter, even_if_full: bool = False) -> None:
        """Keep a dead letter; if the delta is full of them, only count it, unless `even_if_full`."""
        is_full = len(self.dead_letters) >= _MAX_DEAD_LETTERS or self._dead_letter_bytes >= _MAX_DEAD_LETTER_BYTES
        if is_full and not even_if_full:
            self.add(counts.DEAD_LETTERS_DROPPED)
        else:
            self.add(counts.DEAD_LETTERS)
            self.dead_letters.append(letter)
            # In memory, a text with any character beyond ASCII may take four bytes for each.
            self._dead_letter_bytes += len(letter.body) * (1 if letter.body.isascii() else 4)

    def _histogram(self, name: str) -> Histogram:
        cells = self.histograms.get(name)
        if cells is None:
            cells = self.histograms[name] = Histogram([0] * (len(counts.BOUNDS[name]) + 1))
        return cells

    def snapshot(self) -> Snapshot:
        """Return the counts as plain data."""
        return Snapshot(
            traffic=[(series, (cell[0], cell[1], cell[2])) for series, cell in self.traffic.items()],
            rejected_ports=list(self.rejected_ports.items()),
            counts=[(count, label, number) for (count, label), number in self.counts.items()],
            histograms=self.histograms,
            dead_letters=self.dead_letters,
            fingerprints=self.fingerprints,
            listed_subnets=self.listed_subnets,
            who=self.sketch,
        )
