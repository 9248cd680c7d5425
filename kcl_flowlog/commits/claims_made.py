"""The claims that this ledger has made, and whether the lease table has seen more of the ledger than it holds itself.

A claim's token begins with the ledger's id, and the ledger remembers where each of its claims began and how far it got.
So if a lease row has a claim of this ledger that it does not remember, or a claim that got further than it remembers,
the file is an old copy: totals that were shown are missing in it.

The functions run inside a transaction of the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kcl_flowlog.commits import meta
from kcl_flowlog.commits.checked_table import CheckedTable
from kcl_flowlog.commits.claims import LeaseRow, claims_of, digest
from kcl_flowlog.counting.positions import SHARD_END, Position

# Far more than a row keeps, because a claim that is not registered counts here as well.
_MOST_CLAIMS = 64

TABLE = CheckedTable("claims_made", ("shard_id", "token"), ("number", "begins_at", "prepared", "folded", "has_ended"))
"""Positions are digests; the claims of a shard are numbered."""


class _ClaimMade(NamedTuple):
    shard_id: str
    token: str
    number: int
    begins_at: str
    prepared: str
    folded: str
    has_ended: int = 0


def ledger_id(db: sqlite3.Connection) -> str:
    """Return the ledger's id: eight hexadecimal digits, random, made with the file."""
    return f"{meta.read(db, meta.LEDGER):08x}"


def remember(db: sqlite3.Connection, shard_id: str, token: str, begins_at: Position) -> None:
    """Remember a new claim, and forget the oldest of its shard."""
    begin = digest(begins_at)
    query = "SELECT coalesce(max(number), 0) + 1 FROM claims_made WHERE shard_id = ?"
    (number,) = db.execute(query, (shard_id,)).fetchone()
    TABLE.put(db, _ClaimMade(shard_id, token, number, begin, begin, begin))
    TABLE.delete(db, "WHERE shard_id = ? AND number <= ?", shard_id, number - _MOST_CLAIMS)


def note_prepared(db: sqlite3.Connection, shard_id: str, token: str, upto: Position) -> None:
    """Note that the claim's holder may checkpoint this position."""
    _change(db, shard_id, token, lambda claim: claim._replace(prepared=digest(upto)))


def note_folded(db: sqlite3.Connection, shard_id: str, token: str) -> None:
    """Note that the totals hold what the claim's holder prepared last."""
    _change(db, shard_id, token, lambda claim: claim._replace(folded=claim.prepared))


def note_end(db: sqlite3.Connection, shard_id: str, token: str) -> None:
    """Note that the claim's holder may checkpoint the shard's end."""
    _change(db, shard_id, token, lambda claim: claim._replace(has_ended=1))


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
    claim = _find(db, shard_id, token)
    if claim is None:
        return set()
    return {claim.begins_at, claim.prepared, claim.folded, *([digest(Position(SHARD_END))] if claim.has_ended else [])}


def _change(db: sqlite3.Connection, shard_id: str, token: str, change: Callable[[_ClaimMade], _ClaimMade]) -> None:
    # A commit that an earlier version has left was made by a claim that this ledger does not remember.
    claim = _find(db, shard_id, token)
    if claim is not None:
        TABLE.put(db, change(claim))


def _find(db: sqlite3.Connection, shard_id: str, token: str) -> _ClaimMade | None:
    """Return a claim, None if it was never made or is forgotten."""
    row = TABLE.get(db, shard_id, token)
    return _ClaimMade(*row) if row is not None else None
