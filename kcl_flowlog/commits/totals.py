"""The published totals: what they are, reading them, and adding a delta to them.

Totals belong to the instance, not to a shard. All functions run inside a
transaction of the caller. Knows no metric name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from kcl_flowlog.commits import meta, own_series
from kcl_flowlog.counting.delta import Histogram, RejectedPort, Snapshot, Traffic
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET, SubnetBounds

# SQLite adds 64-bit integers; a total stops there instead of turning into a rounded number.
_MOST = 2**63 - 1

_ADD_TRAFFIC = """
INSERT INTO traffic VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    flows = min(flows + excluded.flows, 9223372036854775807),
    packets = min(packets + excluded.packets, 9223372036854775807),
    bytes = min(bytes + excluded.bytes, 9223372036854775807),
    counted_at = excluded.counted_at
"""
_ADD_REJECTED_PORTS = """
INSERT INTO rejected_ports VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET flows = flows + excluded.flows
"""


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

    def newest_birth(self) -> int:
        """Return the latest birth of all series, 0 if there are no series."""
        births = [total.birth for total in self.traffic]
        births += [total.birth for total in self.rejected_ports]
        return max(births, default=0)


def read(db: sqlite3.Connection) -> Totals:
    """Return all totals."""
    traffic = db.execute(
        "SELECT subnet_id, direction, action, protocol, peer, flows, packets, bytes, birth FROM traffic"
    )
    rejected_ports = db.execute("SELECT subnet_id, direction, protocol, port, flows, birth FROM rejected_ports")
    counts = db.execute("SELECT count, label, number FROM counts")
    histograms = db.execute("SELECT histogram, body FROM histograms")
    return Totals(
        [TrafficTotal(Traffic(*row[:5]), *row[5:]) for row in traffic],
        [RejectedPortTotal(RejectedPort(*row[:4]), *row[4:]) for row in rejected_ports],
        {(count, label): number for count, label, number in counts},
        {histogram: msgspec.json.decode(body, type=Histogram) for histogram, body in histograms},
        own_series.number_folded(db),
    )


def add_delta(db: sqlite3.Connection, delta: Snapshot, bounds: SubnetBounds, now: float) -> None:
    """Add a delta, folded at `now` (Unix seconds); its new series are born with this commit.

    Here, and nowhere else, subnets beyond the bounds become `other`: all counts of an instance come together here.
    """
    birth = meta.advance(db, meta.COMMITS)
    names = own_series.names(db, delta, bounds, now)
    db.executemany(
        _ADD_TRAFFIC,
        [
            (names[series.subnet_id], *series[1:], *(min(number, _MOST) for number in numbers), birth, now)
            for series, numbers in delta.traffic
        ],
    )
    db.executemany(
        _ADD_REJECTED_PORTS,
        [(names[series.subnet_id], *series[1:], flows, birth) for series, flows in delta.rejected_ports],
    )
    for count, label, number in delta.counts:
        add_count(db, count, label, number)
    for histogram, added in delta.histograms.items():
        _add_histogram(db, histogram, added)


def add_count(db: sqlite3.Connection, count: str, label: str = "", number: int = 1) -> None:
    """Add to one of the counts named in `kcl_flowlog.counting.counts`."""
    db.execute(
        "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
        (count, label, number),
    )


def forget_idle_subnets(db: sqlite3.Connection, known: Collection[str], before: float) -> list[str]:
    """Remove and return the subnets that are not `known` and had no traffic since `before`, in Unix seconds."""
    rows = db.execute("SELECT subnet_id FROM traffic GROUP BY subnet_id HAVING max(counted_at) < ?", (before,))
    idle = [subnet_id for (subnet_id,) in rows if subnet_id not in known and subnet_id != OTHER_SUBNET]
    for subnet_id in idle:
        db.execute("DELETE FROM traffic WHERE subnet_id = ?", (subnet_id,))
        db.execute("DELETE FROM rejected_ports WHERE subnet_id = ?", (subnet_id,))
    own_series.forget(db, idle, before)
    return idle


def _add_histogram(db: sqlite3.Connection, histogram: str, added: Histogram) -> None:
    row = db.execute("SELECT body FROM histograms WHERE histogram = ?", (histogram,)).fetchone()
    if row is not None:
        before = msgspec.json.decode(row[0], type=Histogram)
        # A version with a different number of buckets starts the histogram again.
        if len(before.buckets) == len(added.buckets):
            buckets = [a + b for a, b in zip(before.buckets, added.buckets, strict=True)]
            added = Histogram(buckets, before.sum + added.sum)
    db.execute("INSERT OR REPLACE INTO histograms VALUES (?, ?)", (histogram, msgspec.json.encode(added)))
