"""Connections and transactions: durable, rolled back as a whole, and never left open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kcl_flowlog.commits.database import connect, transaction


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(path, patience=0.0)) as connection:
        connection.execute("CREATE TABLE numbers (number INTEGER)")
        yield connection


def numbers(db: sqlite3.Connection) -> list[int]:
    return [number for (number,) in db.execute("SELECT number FROM numbers")]


@pytest.mark.parametrize(("pragma", "expected"), [("journal_mode", "wal"), ("synchronous", 2)])
def test_a_commit_survives_the_loss_of_power(db: sqlite3.Connection, pragma: str, expected: object) -> None:
    """SQLite promises that for WAL with synchronous FULL (2); NORMAL (1) may lose the last commits."""
    assert (expected,) == db.execute(f"PRAGMA {pragma}").fetchone()


def test_removed_rows_are_overwritten(db: sqlite3.Connection) -> None:
    """They hold addresses; it is the default of some builds of SQLite only."""
    assert (1,) == db.execute("PRAGMA secure_delete").fetchone()


def test_a_block_is_committed_at_its_end(db: sqlite3.Connection, path: Path) -> None:
    """Other connections see it then, and not before."""
    with closing(connect(path, 0.0)) as other:
        with transaction(db):
            db.execute("INSERT INTO numbers VALUES (1)")
            assert [] == numbers(other)
        assert [1] == numbers(other)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_changes_nothing(db: sqlite3.Connection, error: type[BaseException]) -> None:
    """And the next transaction can begin."""

    def insert_and_raise() -> None:
        with transaction(db):
            db.execute("INSERT INTO numbers VALUES (1)")
            raise error

    with pytest.raises(error):
        insert_and_raise()

    with transaction(db):
        db.execute("INSERT INTO numbers VALUES (2)")
    assert [2] == numbers(db)


def test_a_commit_that_sqlite_refuses_is_rolled_back(db: sqlite3.Connection) -> None:
    """SQLite leaves the transaction open then; the next must be able to begin."""
    db.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)")
    db.execute("PRAGMA foreign_keys = ON")

    with pytest.raises(sqlite3.IntegrityError), transaction(db):
        db.execute("INSERT INTO children VALUES (1)")

    with transaction(db):
        db.execute("INSERT INTO numbers VALUES (2)")
    assert [2] == numbers(db)


def test_a_full_disk_is_reported_as_such(db: sqlite3.Connection) -> None:
    """SQLite rolls back by itself then; the error that comes out is the disk's."""
    with transaction(db):
        db.execute("INSERT INTO numbers VALUES (1)")
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 1}")

    with pytest.raises(sqlite3.OperationalError, match="full"), transaction(db):
        db.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(10_000)])

    db.execute("PRAGMA max_page_count = 100000")
    with transaction(db):
        db.execute("INSERT INTO numbers VALUES (2)")
    assert [1, 2] == numbers(db)


def test_a_transaction_takes_the_write_lock_at_once(db: sqlite3.Connection, path: Path) -> None:
    """One that only begins with reading could fail to write later, when others have written."""
    with closing(connect(path, 0.0)) as other, transaction(db):
        with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(other):
            pytest.fail("two writers at once")
        with transaction(other, "DEFERRED"):
            assert [] == numbers(other)


def test_a_statement_outside_a_transaction_is_committed_at_once(db: sqlite3.Connection, path: Path) -> None:
    """Python's sqlite3 begins no transactions by itself."""
    db.execute("INSERT INTO numbers VALUES (1)")

    assert not db.in_transaction
    with closing(connect(path, 0.0)) as other:
        assert [1] == numbers(other)


def test_a_step_waits_for_its_patience(path: Path) -> None:
    """In seconds, as SQLite's busy timeout."""
    with closing(connect(path, patience=12.5)) as connection:
        assert (12_500,) == connection.execute("PRAGMA busy_timeout").fetchone()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """The connection is closed, so that the file can be set aside; a leak would warn here."""
    path.write_bytes(b"What is this? " * 1000)

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect(path, 0.0)
