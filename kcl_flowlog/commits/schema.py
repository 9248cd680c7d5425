"""The ledger's tables, and the steps from each version of them to the next.

`migrate` brings a file of any earlier version up to date in one transaction,
so that a crash leaves either the old or the new version. The version of a file
is its `user_version`; an empty file has 0. To change the schema, append a
step; never edit a released step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from kcl_flowlog.commits import claims_made
from kcl_flowlog.commits.database import transaction
from kcl_flowlog.errors import ConfigError

Step = tuple[str, ...]
"""The statements that turn one version into the next."""

_VERSION_1: Step = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "CREATE TABLE holders (shard_id TEXT PRIMARY KEY, token TEXT NOT NULL, generation INTEGER NOT NULL)",
    """CREATE VIEW holders_now AS
SELECT shard_id, token FROM holders WHERE generation = (SELECT value FROM meta WHERE name = 'generation')""",
    """CREATE TABLE prepared (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    upto_sequence TEXT NOT NULL, upto_sub INTEGER NOT NULL,
    abandoned INTEGER NOT NULL DEFAULT 0,
    delta BLOB NOT NULL,
    PRIMARY KEY (shard_id, token)
)""",
    """CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    birth INTEGER NOT NULL, counted_at REAL NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer)
) WITHOUT ROWID""",
    """CREATE TABLE rejected_ports (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, port TEXT NOT NULL,
    flows INTEGER NOT NULL,
    birth INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, protocol, port)
) WITHOUT ROWID""",
    """CREATE TABLE counts (
    count TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (count, label)
) WITHOUT ROWID""",
    "CREATE TABLE histograms (histogram TEXT PRIMARY KEY, body BLOB NOT NULL)",
    """CREATE TABLE fingerprints (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shard_id TEXT NOT NULL, body BLOB NOT NULL, number INTEGER NOT NULL,
    folded_at REAL NOT NULL
)""",
    "CREATE INDEX fingerprints_of_shard ON fingerprints (shard_id, id)",
    "CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
)

_VERSION_2: Step = (
    "CREATE TABLE own_series (subnet_id TEXT PRIMARY KEY, is_listed INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO own_series SELECT DISTINCT subnet_id, 0 FROM traffic",
    "CREATE TABLE folded_subnets (subnet_id TEXT PRIMARY KEY, counted_at REAL NOT NULL) WITHOUT ROWID",
)

STEPS: tuple[Step, ...] = (_VERSION_1, _VERSION_2, claims_made.SCHEMA)
"""The steps from an empty file on; after the n-th, a file has version n."""


def migrate(connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring the file up to the version that the last of `steps` makes.

    Raises `ConfigError` if the file has a newer version.
    """
    newest = len(steps)
    # Most connections find the file up to date, and must not wait for the write lock.
    if version(connection) == newest:
        return
    with transaction(connection) as db:
        # Read again: another process may have migrated the file while this one waited.
        found = version(db)
        if found > newest:
            raise ConfigError("The ledger was written by a newer version of kcl-flowlog; run that version.")
        for number, statements in enumerate(steps[found:], found + 1):
            for statement in statements:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")


def version(connection: sqlite3.Connection) -> int:
    """Return the schema version of the file, 0 if it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
