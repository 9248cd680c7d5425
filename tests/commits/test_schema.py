"""The schema, and how a file gets from one version to the next."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.commits import meta, schema
from kcl_flowlog.commits.database import connect
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.errors import ConfigError
from tests.support.earlier_states import EarlierState
from tests.support.ledgers import content, restore
from tests.support.paths import ROOT

NEWEST = len(schema.STEPS)
NEXT_STEP: schema.Step = (
    "ALTER TABLE traffic ADD COLUMN colour TEXT NOT NULL DEFAULT ''",
    "UPDATE traffic SET colour = 'migrated'",
)


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a ledger of version 1 with content."""
    restore(path, EarlierState(1).dump)
    with closing(connect(path, patience=60.0)) as connection:
        yield connection


def objects(db: sqlite3.Connection) -> set[tuple[str, str]]:
    """Return each table, view and index with the statement that made it."""
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_the_first_step_makes_the_schema_of_version_1(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Exactly as its own code wrote it."""
    with closing(connect(tmp_path / "fresh.sqlite3", 0.0)) as new:
        schema.migrate(new, schema.STEPS[:1])

        assert objects(db) == objects(new)
        assert 1 == schema.version(new)


def test_the_subnets_of_version_1_keep_their_series(db: sqlite3.Connection) -> None:
    """Whether the inventory lists them is seen with their next counts."""
    subnets = db.execute("SELECT DISTINCT subnet_id, 0 FROM traffic ORDER BY subnet_id").fetchall()

    schema.migrate(db)

    assert subnets
    assert subnets == db.execute("SELECT subnet_id, is_listed FROM own_series ORDER BY subnet_id").fetchall()


def test_a_migrated_file_has_the_schema_of_a_new_ledger(db: sqlite3.Connection, tmp_path: Path) -> None:
    """In every detail; the version is noted with a checksum as well."""
    Ledger(tmp_path / "fresh.sqlite3").close()

    schema.migrate(db)

    with closing(connect(tmp_path / "fresh.sqlite3", 0.0)) as new:
        assert objects(new) == objects(db)
        assert NEWEST == schema.version(new) == schema.version(db)
        assert NEWEST == meta.read(new, meta.SCHEMA) == meta.read(db, meta.SCHEMA)


def test_an_up_to_date_file_is_left_alone(db: sqlite3.Connection, path: Path) -> None:
    """Without even waiting for the write lock, which others may hold."""
    schema.migrate(db)
    before = content(path)
    db.execute("BEGIN IMMEDIATE")

    with closing(connect(path, patience=0.0)) as other:
        schema.migrate(other)

    db.execute("ROLLBACK")
    assert before == content(path)


def test_a_later_step_runs_alone_and_keeps_the_content(db: sqlite3.Connection) -> None:
    """The version goes up by one; nothing else changes."""
    schema.migrate(db)
    before = db.execute("SELECT * FROM traffic").fetchall()

    schema.migrate(db, (*schema.STEPS, NEXT_STEP))

    assert NEWEST + 1 == schema.version(db)
    assert [(*row, "migrated") for row in before] == db.execute("SELECT * FROM traffic").fetchall()


def test_an_empty_file_goes_through_all_steps(path: Path) -> None:
    """In order, in one go."""
    with closing(connect(path, 0.0)) as empty:
        assert 0 == schema.version(empty)

        schema.migrate(empty, (*schema.STEPS, NEXT_STEP, ("DROP TABLE traffic",)))

        assert NEWEST + 2 == schema.version(empty)
        assert "traffic" not in {name for name, _ in objects(empty)}


def test_a_step_that_fails_leaves_the_old_version(db: sqlite3.Connection, path: Path) -> None:
    """None of it, nor of the steps before it."""
    before = content(path)

    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        schema.migrate(db, (*schema.STEPS, NEXT_STEP, ("SELECT * FROM nowhere",)))

    assert before == content(path)


def test_a_death_in_a_step_leaves_the_old_version(db: sqlite3.Connection, path: Path) -> None:
    """The next start migrates again, from the start."""
    before = content(path)
    program = f"""
import os, signal
from pathlib import Path
from typing import Any
from kcl_flowlog.commits import schema
from kcl_flowlog.commits.database import connect
connection = connect(Path({str(path)!r}), 60.0)
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
schema.migrate(connection, (*schema.STEPS, {NEXT_STEP!r}, ("SELECT die()",)))
"""

    died = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)

    assert -signal.SIGKILL == died.returncode
    assert before == content(path)
    schema.migrate(db, (*schema.STEPS, NEXT_STEP))
    assert NEWEST + 1 == schema.version(db)


class _Late(sqlite3.Connection):
    """A connection that is overtaken: another process migrates the file right before this one gets the lock."""

    path: Path

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql.startswith("BEGIN"):
            with closing(connect(self.path, 0.0)) as other:
                schema.migrate(other)
        return super().execute(sql, *parameters)


def test_a_file_that_another_process_migrates_meanwhile_is_not_migrated_twice(path: Path) -> None:
    """Several processes may open a new ledger at once."""
    late = sqlite3.connect(path, isolation_level=None, factory=_Late)
    late.path = path

    with closing(late):
        schema.migrate(late)
        assert NEWEST == schema.version(late)


@pytest.mark.parametrize("version", [NEWEST + 1, 99])
def test_a_ledger_of_a_newer_version_is_left_alone(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Going back a version must not misread the ledger."""
    db.execute(f"PRAGMA user_version = {version}")
    before = content(path)

    with pytest.raises(
        ConfigError, match=r"^The ledger was written by a newer version of kcl-flowlog; run that version\.$"
    ):
        Ledger(path)

    assert before == content(path)
