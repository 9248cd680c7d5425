"""Connections to the ledger's SQLite file, and transactions on them.

Whatever a transaction has committed survives the loss of power: WAL with
synchronous FULL. Knows no table. Raises `sqlite3.Error` for a file that
can't be used, a full disk and the like.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kcl_flowlog.commits.damage import undecodable_is_damage


def connect(path: Path, patience: float) -> sqlite3.Connection:
    """Open the file at `path`, or create it; `patience` is how many seconds a transaction waits for a lock."""
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        # The first use of a connection reads the statements of all tables.
        with undecodable_is_damage():
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Removed rows hold addresses; Debian's SQLite overwrites them unasked, others don't.
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Run the block in one transaction: committed at its end, rolled back if anything raises."""
    # IMMEDIATE takes the write lock at once; a transaction that begins with reading may fail to get it later.
    connection.execute(f"BEGIN {kind}")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # SQLite itself rolls back after a full disk or a read error, but not after a failed COMMIT.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
