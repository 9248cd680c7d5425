"""What was counted since the last commit, as a value.

A `Delta` gathers counts in memory and turns into a `Snapshot`, plain data
that the ledger writes down and later adds to its totals. Knows no shard, no
clock and no metric page; adding never fails.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

import msgspec

from kcl_flowlog.counting import counts

_MOST_DEAD_LETTERS = 1000
_MOST_DEAD_LETTER_BYTES = 4 * 1024 * 1024


class Traffic(NamedTuple):
    """The labels of one traffic series."""

    subnet_id: str
    direction: str
    action: str
    protocol: str
    peer: str


class RejectedPort(NamedTuple):
    """The labels of one series of rejected flows by port."""

    subnet_id: str
    direction: str
    protocol: str
    port: str


class DeadLetter(msgspec.Struct, frozen=True):
    """A payload or line that could not be used, and where it came from.

    `body` holds the first bytes of a payload in base64, or the start of a line,
    or of a log event that has none, as text, by `kind` (`payload`, `line` or
    `event`).
    """

    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    reason: str
    kind: str
    body: str
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""
    truncated: bool = False


class Histogram(msgspec.Struct):
    """Observations per bucket (not cumulative; one more than the bounds) and their sum in seconds."""

    buckets: list[int]
    sum: float = 0.0


class Snapshot(msgspec.Struct):
    """A delta as plain data: what one commit adds to the totals."""

    traffic: list[tuple[Traffic, tuple[int, int, int]]] = []
    rejected_ports: list[tuple[RejectedPort, int]] = []
    counts: list[tuple[str, str, int]] = []
    histograms: dict[str, Histogram] = {}
    dead_letters: list[DeadLetter] = []
    fingerprints: list[bytes] = []


class Delta:
    """Counts since the last commit."""

    def __init__(self) -> None:
        # [flows, packets, bytes] of each series.
        self.traffic: dict[Traffic, list[int]] = {}
        self.rejected_ports: Counter[RejectedPort] = Counter()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.histograms: dict[str, Histogram] = {}
        self.dead_letters: list[DeadLetter] = []
        # Of the envelopes counted here, so that they are known when they come again.
        self.fingerprints: list[bytes] = []
        self._dead_letter_bytes = 0

    def __bool__(self) -> bool:
        return bool(self.counts)

    @property
    def size(self) -> int:
        """How many entries a commit of this delta writes."""
        return len(self.traffic) + len(self.rejected_ports) + len(self.dead_letters) + len(self.fingerprints)

    def add_flow(self, series: Traffic, packets: int, octets: int) -> None:
        """Count one flow record of `packets` and `octets` bytes."""
        cell = self.traffic.get(series)
        if cell is None:
            self.traffic[series] = [1, packets, octets]
        else:
            cell[0] += 1
            cell[1] += packets
            cell[2] += octets

    def add(self, count: str, label: str = "", number: int = 1) -> None:
        """Add to one of the counts named at the top of this module."""
        self.counts[count, label] += number

    def observe(self, histogram: str, seconds: float, times: int = 1) -> None:
        """Add one value, `times` over, to a histogram of `BOUNDS`."""
        bounds = counts.BOUNDS[histogram]
        cells = self.histograms.get(histogram)
        if cells is None:
            cells = self.histograms[histogram] = Histogram([0] * (len(bounds) + 1))
        cells.buckets[bisect_left(bounds, seconds)] += times
        cells.sum += seconds * times

    def bury(self, letter: DeadLetter, for_sure: bool = False) -> None:
        """Keep a dead letter, or only count it where this commit already has its fill of them, unless `for_sure`."""
        full = len(self.dead_letters) >= _MOST_DEAD_LETTERS or self._dead_letter_bytes >= _MOST_DEAD_LETTER_BYTES
        if full and not for_sure:
            self.add(counts.DEAD_LETTERS_DROPPED)
        else:
            self.add(counts.DEAD_LETTERS)
            self.dead_letters.append(letter)
            self._dead_letter_bytes += len(letter.body)

    def snapshot(self) -> Snapshot:
        """Return the counts as plain data."""
        return Snapshot(
            traffic=[(series, (cell[0], cell[1], cell[2])) for series, cell in self.traffic.items()],
            rejected_ports=list(self.rejected_ports.items()),
            counts=[(count, label, number) for (count, label), number in self.counts.items()],
            histograms=self.histograms,
            dead_letters=self.dead_letters,
            fingerprints=self.fingerprints,
        )
