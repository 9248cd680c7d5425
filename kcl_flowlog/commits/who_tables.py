"""The tables of who sent what: what each commit has added, and the sums by step of five minutes and subnet.

A fold puts the bytes of its delta here, in its own transaction, and does not read them: a commit is cheap. The launcher
adds them to their step, in one transaction (`launcher/who_keeper.py`). What a commit adds shares the commit's fate: it
is there once, or not at all. All functions run inside a transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kcl_flowlog.commits.checked_table import CheckedTable

ADDED = CheckedTable("who_added", ("id",), ("body",))
STEPS = CheckedTable("who_steps", ("step", "subnet_id"), ("body",))

_MOST_WAITING = 4096
_MOST_BYTES = 1024 * 1024
"""Of what was added, as much is read at a time, and at least one commit."""


class SubnetStep(NamedTuple):
    """The sketch of a subnet in a step of five minutes, counted from the beginning of 1970."""

    step: int
    subnet_id: str
    body: bytes


def add(db: sqlite3.Connection, body: bytes) -> None:
    """Keep what a commit has added, unless it is empty; of more than `_MOST_WAITING` commits, the latest."""
    if body:
        (last,) = db.execute("SELECT coalesce(max(id), 0) FROM who_added").fetchone()
        ADDED.put(db, (last + 1, body))
        # The launcher takes them away, unless its thread has died.
        ADDED.delete(db, "WHERE id <= ?", last + 1 - _MOST_WAITING)


def added(db: sqlite3.Connection) -> list[tuple[int, bytes]]:
    """Return what commits have added, with the number of each, the oldest first; not all if that is much."""
    found: list[tuple[int, bytes]] = []
    size = 0
    for number, body in ADDED.rows(db, "ORDER BY id"):
        found.append((number, body))
        size += len(body)
        if size >= _MOST_BYTES:
            break
    return found


def replace(db: sqlite3.Connection, upto: int, steps: Iterable[SubnetStep]) -> None:
    """Write steps to which all was added up to and including this number."""
    STEPS.put(db, *steps)
    ADDED.delete(db, "WHERE id <= ?", upto)


def steps_of(db: sqlite3.Connection, subnet_id: str, first: int, last: int) -> list[bytes]:
    """Return the sketches of a subnet in some steps; each may be missing."""
    return [body for *_, body in STEPS.rows(db, "WHERE step BETWEEN ? AND ? AND subnet_id = ?", first, last, subnet_id)]


def subnets(db: sqlite3.Connection, first: int, last: int) -> list[str]:
    """Return the subnets that some steps have, in the order of their ids."""
    found = "SELECT DISTINCT subnet_id FROM who_steps WHERE step BETWEEN ? AND ? ORDER BY subnet_id"
    return [name for (name,) in db.execute(found, (first, last))]


def forget(db: sqlite3.Connection, first: int, last: int) -> None:
    """Remove all steps but those from `first` to `last`."""
    STEPS.delete(db, "WHERE step < ? OR step > ?", first, last)


def clear(db: sqlite3.Connection) -> None:
    """Remove everything."""
    for table in (ADDED, STEPS):
        table.delete(db, "")


def verify(db: sqlite3.Connection) -> Iterator[bytes]:
    """Yield all bodies, one after the other, as they may be large. Raises `DamagedLedger`."""
    for table in (ADDED, STEPS):
        table.check_no_row_is_missing(db)
        for row in table.rows(db, ""):
            yield row[-1]
