"""The published totals: what they are, reading them, and adding a delta to them.

Totals belong to the instance, not to a shard. All functions run inside a
transaction of the caller. Knows no metric name.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import msgspec

from kcl_flowlog.commits import meta, own_series
from kcl_flowlog.commits.checked_table import CheckedTable, Row, SeenRows, decode
from kcl_flowlog.counting.delta import Histogram, RejectedPort, Snapshot, Traffic
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET, SubnetBounds

# SQLite keeps 64-bit integers; a total stops there.
_MOST = 2**63 - 1

TRAFFIC = CheckedTable("traffic", Traffic._fields, ("flows", "packets", "bytes", "birth", "counted_at"))
_LABELS = len(Traffic._fields)
REJECTED_PORTS = CheckedTable("rejected_ports", RejectedPort._fields, ("flows", "birth"))
COUNTS = CheckedTable("counts", ("count", "label"), ("number",))
HISTOGRAMS = CheckedTable("histograms", ("histogram",), ("body",))


class TrafficTotal(NamedTuple):
    """The totals of one traffic series; `birth` is the number of the commit that first had it."""

    series: Traffic
    flows: int
    packets: int
    bytes: int
    birth: int


class RejectedPortTotal(NamedTuple):
    """The total of one series of rejected flows by port; `birth` is the number of the commit that first had it."""

    series: RejectedPort
    flows: int
    birth: int


class Totals(NamedTuple):
    """All published totals as of one moment; `folded_subnets` is how many subnets were counted for `other` lately."""

    traffic: list[TrafficTotal]
    rejected_ports: list[RejectedPortTotal]
    counts: dict[tuple[str, str], int]
    histograms: dict[str, Histogram]
    folded_subnets: int = 0

    def by_label(self, count: str) -> dict[str, int]:
        """Return the numbers of a count by their labels; those that never happened are missing."""
        return {label: number for (name, label), number in self.counts.items() if name == count}

    def newest_birth(self) -> int:
        """Return the latest birth of all series, 0 if there are no series."""
        return max(map(itemgetter(-1), chain(self.traffic, self.rejected_ports)), default=0)


class SeenTotals:
    """The series that were read last, so that the next read verifies and makes only those that have changed.

    The lists that it keeps are never changed, so whoever has one may keep it. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.traffic = SeenRows(Traffic._make, TrafficTotal)
        self.rejected_ports = SeenRows(RejectedPort._make, RejectedPortTotal)


def read(db: sqlite3.Connection, seen: SeenTotals) -> Totals:
    """Return all totals. What has not changed since the last read with `seen` is the same object."""
    return Totals(
        TRAFFIC.seen_rows(db, seen.traffic),
        REJECTED_PORTS.seen_rows(db, seen.rejected_ports),
        {(count, label): number for count, label, number in COUNTS.all_rows(db)},
        {histogram: decode(body, Histogram) for histogram, body in HISTOGRAMS.all_rows(db)},
        own_series.number_folded(db),
    )


def add_delta(db: sqlite3.Connection, delta: Snapshot, bounds: SubnetBounds) -> int:
    """Add a delta and return the number of its commit, with which its new series are born.

    Here, and nowhere else, subnets beyond the bounds become `other`: all counts of an instance come together here.
    """
    birth = meta.advance(db, meta.COMMITS)
    now = meta.read(db, meta.RUNNING) or 0
    names = own_series.names(db, delta, bounds, now)
    TRAFFIC.merge(
        db,
        [
            (names[series.subnet_id], *series[1:], *map(_capped, numbers), birth, now)
            for series, numbers in delta.traffic
        ],
        _add_traffic,
    )
    REJECTED_PORTS.merge(
        db,
        [(names[series.subnet_id], *series[1:], flows, birth) for series, flows in delta.rejected_ports],
        lambda old, new: (*old[:4], _add(old[4], new[4]), old[5]),
    )
    for count, label, number in delta.counts:
        add_count(db, count, label, number)
    for histogram, added in delta.histograms.items():
        _add_histogram(db, histogram, added)
    return birth


def add_count(db: sqlite3.Connection, count: str, label: str = "", number: int = 1) -> None:
    """Add to one of the counts named in `kcl_flowlog.counting.counts`."""
    COUNTS.merge(db, [(count, label, number)], lambda old, new: (*old[:2], _add(old[2], new[2])))


def forget_idle_subnets(db: sqlite3.Connection, known: Collection[str], idle_for: float) -> list[str]:
    """Remove and return the subnets that are not `known` and had no traffic in the last `idle_for` seconds of running.

    These are not seconds of a wall clock: if that leaps, a subnet that has traffic would look idle.
    """
    before = (meta.read(db, meta.RUNNING) or 0) - idle_for
    counted_at: dict[str, int] = {}
    for row in TRAFFIC.all_rows(db):
        counted_at[row[0]] = max(row[-1], counted_at.get(row[0], 0))
    kept = {*known, OTHER_SUBNET}
    idle = sorted(subnet_id for subnet_id, at in counted_at.items() if at < before and subnet_id not in kept)
    for subnet_id in idle:
        TRAFFIC.delete(db, "WHERE subnet_id = ?", subnet_id)
        REJECTED_PORTS.delete(db, "WHERE subnet_id = ?", subnet_id)
    own_series.forget(db, idle, before)
    return idle


def _capped(number: int) -> int:
    return number if number <= _MOST else _MOST


def _add(before: int, added: int) -> int:
    return _capped(before + added)


def _add_traffic(old: Row, new: Row) -> Row:
    return (*old[:_LABELS], *map(_add, old[_LABELS:-2], new[_LABELS:-2]), old[-2], new[-1])


def _add_histogram(db: sqlite3.Connection, histogram: str, added: Histogram) -> None:
    row = HISTOGRAMS.get(db, histogram)
    if row is not None:
        before = decode(row[1], Histogram)
        # A version with a different number of buckets starts the histogram again.
        if len(before.buckets) == len(added.buckets):
            buckets = [a + b for a, b in zip(before.buckets, added.buckets, strict=True)]
            added = Histogram(buckets, before.sum + added.sum)
    HISTOGRAMS.put(db, (histogram, msgspec.json.encode(added)))
