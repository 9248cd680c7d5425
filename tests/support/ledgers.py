"""Short ways to commit to a ledger in tests, and to look at those of earlier schemas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kcl_flowlog.commits import schema
from kcl_flowlog.commits.database import connect
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.positions import Position

SHARD = "shardId-000000000000"
SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")


def claim(ledger: Ledger, shard_id: str = SHARD) -> Claim:
    """Claim a shard in a new generation."""
    return ledger.claim(shard_id, ledger.begin_generation())


def make_delta(flows: int = 1, packets: int = 10, octets: int = 100) -> Delta:
    """Return a delta with `flows` equal flows of one series."""
    delta = Delta()
    for _ in range(flows):
        delta.add_flow(SERIES, packets, octets)
    delta.add(counts.EVENTS, "counted", flows)
    return delta


def commit(ledger: Ledger, held: Claim, upto: str = "5", delta: Delta | None = None) -> None:
    """Prepare and fold a delta, `make_delta()` unless given."""
    ledger.prepare(held, Position(upto), (make_delta() if delta is None else delta).snapshot())
    ledger.fold(held)


def change(path: Path, statement: str) -> None:
    """Change the file of a ledger behind its back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def restore(path: Path, dump: Path) -> None:
    """Make a ledger of a dump."""
    with closing(connect(path, 0.0)) as db:
        db.executescript(dump.read_text())


def content(path: Path) -> list[str]:
    """Return all of a ledger's file: tables, rows and version."""
    with closing(sqlite3.connect(path)) as db:
        return [*db.iterdump(), f"version {schema.version(db)}"]


def fail_to_migrate(path: Path, step: int, place: int) -> None:
    """Migrate a ledger until a step, from 0, fails at a place among its statements."""
    *before, last = schema.STEPS[: step + 1]
    steps = (*before, (*last[:place], "SELECT * FROM nowhere", *last[place:]))
    with closing(connect(path, 0.0)) as db, pytest.raises(sqlite3.OperationalError, match="nowhere"):
        schema.migrate(db, steps)


def totals(ledger: Ledger) -> dict[str, Any]:
    """Return the totals as JSON has them."""
    found = ledger.totals()
    return {
        "traffic": sorted([list(total.series), *total[1:]] for total in found.traffic),
        "rejected_ports": sorted([list(total.series), *total[1:]] for total in found.rejected_ports),
        "counts": sorted([*key, number] for key, number in found.counts.items()),
        "histograms": {name: msgspec.to_builtins(body) for name, body in found.histograms.items()},
        "folded_subnets": found.folded_subnets,
    }


def as_now(before: dict[str, Any]) -> dict[str, Any]:
    """Return totals of an earlier schema, as JSON has them, as this version shows them: later labels are unknown."""
    labels = len(Traffic._fields)
    traffic = [[[*series, *["unknown"] * (labels - len(series))], *numbers] for series, *numbers in before["traffic"]]
    return {"folded_subnets": 0, **before, "traffic": traffic}


def left_commits(ledger: Ledger) -> list[list[Any]]:
    """Return the left commits as JSON has them."""
    return [[left.shard_id, left.token, list(left.upto)] for left in ledger.left_commits()]


def sums(ledger: Ledger) -> list[tuple[int, int, int]]:
    """Return flows, packets and bytes of each published traffic series."""
    return [(total.flows, total.packets, total.bytes) for total in ledger.totals().traffic]
