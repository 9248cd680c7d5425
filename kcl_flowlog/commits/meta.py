"""Single numbers that the ledger keeps by name: the generation, the last commit, the last birth shown and others."""

from __future__ import annotations

import sqlite3

from kcl_flowlog.commits.checked_table import CheckedTable

TABLE = CheckedTable("meta", ("name",), ("value",))

GENERATION = "generation"
COMMITS = "commits"
SHOWN = "shown"
RUNNING = "running"
"""For how many seconds instances have run on this ledger."""
SCHEMA = "schema"
"""The version of the schema; the file's own note of it has no checksum."""


def read(db: sqlite3.Connection, name: str) -> int | None:
    """Return a number, None if it was never written."""
    row = TABLE.get(db, name)
    return int(row[1]) if row is not None else None


def write(db: sqlite3.Connection, name: str, value: int) -> None:
    """Replace a number."""
    TABLE.put(db, (name, value))


def advance(db: sqlite3.Connection, name: str, by: int = 1) -> int:
    """Add to a number and return it; it begins at 0."""
    value = (read(db, name) or 0) + by
    write(db, name, value)
    return value
