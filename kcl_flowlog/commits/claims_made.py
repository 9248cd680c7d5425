"""The claims that this ledger has made, and whether the lease table has seen more of the ledger than it holds itself.

A claim's token begins with the ledger's id, and the ledger remembers where each of its claims began and how far it got.
So if a lease row has a claim of this ledger that it does not remember, or a claim that got further than it remembers,
the file is an old copy: totals that were shown are missing in it.

The functions run inside a transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from kcl_flowlog.commits import meta
from kcl_flowlog.commits.claims import LeaseRow, claims_of, digest
from kcl_flowlog.counting.positions import SHARD_END, Position

# Far more than a row keeps, because a claim that is not registered counts here as well.
_MOST_CLAIMS = 64

SCHEMA = (
    "INSERT INTO meta VALUES ('ledger', random() & 4294967295)",
    """CREATE TABLE claims_made (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shard_id TEXT NOT NULL, token TEXT NOT NULL,
    begins_at TEXT NOT NULL, prepared TEXT NOT NULL, folded TEXT NOT NULL,
    has_ended INTEGER NOT NULL DEFAULT 0,
    UNIQUE (shard_id, token)
)""",
)
"""The statements that add this to the schema; positions are digests."""


def ledger_id(db: sqlite3.Connection) -> str:
    """Return the ledger's id: eight hexadecimal digits, random, made with the file."""
    return f"{meta.read(db, meta.LEDGER):08x}"


def remember(db: sqlite3.Connection, shard_id: str, token: str, begins_at: Position) -> None:
    """Remember a new claim, and forget the oldest of its shard."""
    begin = digest(begins_at)
    db.execute(
        "INSERT INTO claims_made (shard_id, token, begins_at, prepared, folded) VALUES (?, ?, ?, ?, ?)",
        (shard_id, token, begin, begin, begin),
    )
    db.execute(
        "DELETE FROM claims_made WHERE shard_id = :shard AND id NOT IN"
        " (SELECT id FROM claims_made WHERE shard_id = :shard ORDER BY id DESC LIMIT :most)",
        {"shard": shard_id, "most": _MOST_CLAIMS},
    )


def note_prepared(db: sqlite3.Connection, shard_id: str, token: str, upto: Position) -> None:
    """Note that the claim's holder may checkpoint this position."""
    db.execute("UPDATE claims_made SET prepared = ? WHERE shard_id = ? AND token = ?", (digest(upto), shard_id, token))


def note_folded(db: sqlite3.Connection, shard_id: str, token: str) -> None:
    """Note that the totals hold what the claim's holder prepared last."""
    db.execute("UPDATE claims_made SET folded = prepared WHERE shard_id = ? AND token = ?", (shard_id, token))


def note_end(db: sqlite3.Connection, shard_id: str, token: str) -> None:
    """Note that the claim's holder may checkpoint the shard's end."""
    db.execute("UPDATE claims_made SET has_ended = 1 WHERE shard_id = ? AND token = ?", (shard_id, token))


def is_empty(db: sqlite3.Connection) -> bool:
    """Return whether this ledger has never made a claim."""
    return db.execute("SELECT 1 FROM claims_made LIMIT 1").fetchone() is None


def shards_ahead(db: sqlite3.Connection, rows: Mapping[str, LeaseRow]) -> list[str]:
    """Return the shards whose rows in the lease table know more of this ledger than it does itself."""
    return sorted(shard_id for shard_id, row in rows.items() if _is_ahead(db, shard_id, row))


def _is_ahead(db: sqlite3.Connection, shard_id: str, row: LeaseRow) -> bool:
    own = ledger_id(db) + "."
    claims = claims_of(row)
    # Between a claim and the next only the holder of the first can have moved the checkpoint.
    reached = [*(claim.begins_at for claim in claims[1:]), digest(row.checkpoint)]
    return any(
        claim.token.startswith(own) and position not in _positions(db, shard_id, claim.token)
        for claim, position in zip(claims, reached, strict=False)
    )


def _positions(db: sqlite3.Connection, shard_id: str, token: str) -> set[str]:
    """Return the positions that a claim's holder may have left in the row; none if the claim is unknown."""
    query = "SELECT begins_at, prepared, folded, has_ended FROM claims_made WHERE shard_id = ? AND token = ?"
    row = db.execute(query, (shard_id, token)).fetchone()
    if row is None:
        return set()
    *positions, has_ended = row
    return {*positions, *([digest(Position(SHARD_END))] if has_ended else [])}
