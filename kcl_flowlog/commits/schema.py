"""The ledger's tables, and the steps from each version of them to the next.

`migrate` brings a file of any earlier version up to date in one transaction, so that a crash leaves either the old or
the new version. The version of a file is its `user_version`; an empty file has 0. To change the schema, append a
step to `schema_steps`.

Raises `DamagedLedger` if a file does not have the tables of its version: the statements that made them are in the file
as well, where a bit may flip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import cache
from typing import NoReturn

from kcl_flowlog.commits import meta
from kcl_flowlog.commits.checked_table import CheckedTable, row_checksum
from kcl_flowlog.commits.damage import DamagedLedger
from kcl_flowlog.commits.database import transaction
from kcl_flowlog.commits.schema_steps import STEPS as STEPS
from kcl_flowlog.commits.schema_steps import Step as Step
from kcl_flowlog.errors import ConfigError

_FIRST_CHECKED = 2


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the file up to the version that the last of `steps` makes.

    Raises `ConfigError` if the file has a newer version, `DamagedLedger` if it does not have the tables of its version.
    """
    newest = len(steps)
    # Most connections find the file up to date, and must not wait for the write lock.
    if version(connection) == newest:
        _check_tables(connection, steps)
        return
    with transaction(connection) as db:
        # Read again: another process may have migrated the file while this one waited.
        found = version(db)
        if found > newest:
            _refuse_newer(db, newest)
        _check_tables(db, steps[:found])
        _run(db, steps[found:])
        if newest >= _FIRST_CHECKED:
            meta.write(db, meta.SCHEMA, newest)
        db.execute(f"PRAGMA user_version = {newest}")


def version(connection: sqlite3.Connection) -> int:
    """Return the schema version of the file, 0 if it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _run(db: sqlite3.Connection, steps: Sequence[Step]) -> None:
    db.create_function("row_checksum", -1, row_checksum, deterministic=True)
    for step in steps:
        for part in step:
            if isinstance(part, CheckedTable):
                part.all_rows(db)
            else:
                db.execute(part)


def _check_tables(db: sqlite3.Connection, steps: Sequence[Step]) -> None:
    # A user may have added something, such as an index.
    if not _expected_tables(tuple(steps)) <= _tables(db):
        raise DamagedLedger("the file does not have the tables of its version")


def _tables(db: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    """Return each table and index with the statement that made it."""
    return frozenset(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))


@cache
def _expected_tables(steps: tuple[Step, ...]) -> frozenset[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _run(db, steps)
        return _tables(db)


def _refuse_newer(db: sqlite3.Connection, newest: int) -> NoReturn:
    # Newer versions note their own number here; a bit that flips in `user_version` does not.
    noted = None
    with suppress(sqlite3.Error):  # a newer version may keep it elsewhere
        noted = meta.read(db, meta.SCHEMA)
    if noted == newest:
        raise DamagedLedger("the file does not have the version that it says")
    raise ConfigError("The ledger was written by a newer version of kcl-flowlog; run that version.")
