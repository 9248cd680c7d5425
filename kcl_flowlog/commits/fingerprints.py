"""The fingerprints of envelopes counted lately, by which copies are recognised after a restart.

They are bounded by their number only: a window for each shard, and so many shards. No clock decides, because a clock
that is wrong for a moment would make copies count. Those of one commit are one row. All functions run inside a
transaction of the caller.
"""

from __future__ import annotations

import sqlite3

from kcl_flowlog.commits.checked_table import CheckedTable
from kcl_flowlog.counting.duplicates import FINGERPRINT_BYTES, WINDOW

# `upto` counts the fingerprints of the shard up to and with this row; `written` is the number of the commit.
TABLE = CheckedTable("fingerprints", ("shard_id", "upto"), ("written", "body"))

SHARDS = 256
"""How many shards' windows are kept: shards end and never come back. 64 MiB in all if every window is full."""

_LATEST = "WHERE shard_id = ? ORDER BY upto DESC LIMIT 1"


def read(db: sqlite3.Connection, shard_id: str) -> list[bytes]:
    """Return the fingerprints of a shard, oldest first."""
    TABLE.check_no_row_is_missing(db)
    return [
        body[start : start + FINGERPRINT_BYTES]
        for *_, body in TABLE.rows(db, "WHERE shard_id = ? ORDER BY upto", shard_id)
        for start in range(0, len(body), FINGERPRINT_BYTES)
    ]


def add(db: sqlite3.Connection, shard_id: str, added: list[bytes], commit: int) -> None:
    """Keep the fingerprints of a commit, of this number; drop what is past the window, and shards past `SHARDS`."""
    if not added:
        return
    latest = next(TABLE.rows(db, _LATEST, shard_id), None)
    upto = (latest[1] if latest is not None else 0) + len(added)
    TABLE.put(db, (shard_id, upto, commit, b"".join(added)))
    # A row goes once the rows after it fill the window.
    TABLE.delete(db, "WHERE shard_id = ? AND upto <= ?", shard_id, upto - WINDOW)
    if latest is None:
        _drop_shards(db)


def _drop_shards(db: sqlite3.Connection) -> None:
    """Keep the windows of the shards that were written last."""
    written: dict[str, int] = {}
    shard_id = ""
    # One look-up for each shard; a shard may have thousands of rows.
    while (row := next(TABLE.rows(db, "WHERE shard_id > ? ORDER BY shard_id LIMIT 1", shard_id), None)) is not None:
        shard_id = row[0]
        written[shard_id] = next(TABLE.rows(db, _LATEST, shard_id))[2]
    for dropped in sorted(written, key=lambda shard: -written[shard])[SHARDS:]:
        TABLE.delete(db, "WHERE shard_id = ?", dropped)
