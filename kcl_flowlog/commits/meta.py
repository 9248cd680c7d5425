"""Single numbers that the ledger keeps by name: its id, the generation, the last commit, the last birth shown."""

from __future__ import annotations

import sqlite3

GENERATION = "generation"
COMMITS = "commits"
SHOWN = "shown"
LEDGER = "ledger"


def read(db: sqlite3.Connection, name: str) -> int | None:
    """Return a number, None if it was never written."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row is not None else None


def write(db: sqlite3.Connection, name: str, value: int) -> None:
    """Replace a number."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def advance(db: sqlite3.Connection, name: str) -> int:
    """Add 1 to a number and return it; the first is 1."""
    value = (read(db, name) or 0) + 1
    write(db, name, value)
    return value
