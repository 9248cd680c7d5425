"""The fingerprints of envelopes counted lately, by which copies are recognised after a restart.

Those of one commit are one row. All functions run inside a transaction of the
caller.
"""

from __future__ import annotations

import sqlite3

from kcl_flowlog.counting.duplicates import FINGERPRINT_BYTES, WINDOW

TTL = 86_400.0
"""How many seconds a fingerprint is kept at most: CloudWatch Logs stops trying to deliver after that."""

# A row goes once the rows after it fill the window.
_FORGET_OLD = """
DELETE FROM fingerprints WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(number) OVER (ORDER BY id DESC) - number AS newer FROM fingerprints WHERE shard_id = ?
    ) WHERE newer >= ?
)
"""


def read(db: sqlite3.Connection, shard_id: str) -> list[bytes]:
    """Return the fingerprints of a shard, oldest first."""
    rows = db.execute("SELECT body FROM fingerprints WHERE shard_id = ? ORDER BY id", (shard_id,))
    return [
        body[start : start + FINGERPRINT_BYTES] for (body,) in rows for start in range(0, len(body), FINGERPRINT_BYTES)
    ]


def add(db: sqlite3.Connection, shard_id: str, added: list[bytes], now: float) -> None:
    """Keep the fingerprints of a commit, folded at `now` (Unix seconds); drop those past the window or the TTL."""
    if added:
        db.execute(
            "INSERT INTO fingerprints (shard_id, body, number, folded_at) VALUES (?, ?, ?, ?)",
            (shard_id, b"".join(added), len(added), now),
        )
    db.execute("DELETE FROM fingerprints WHERE folded_at < ?", (now - TTL,))
    db.execute(_FORGET_OLD, (shard_id, WINDOW))
