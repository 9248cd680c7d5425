"""Who may commit for a shard, and the commits that nobody will finish.

The holder of a shard is the processor that claimed it last, in the current
generation: each start of the daemon begins a generation. Any other processor
gets `StaleProcessor` and must exit. All functions run inside a transaction
of the caller.
"""

from __future__ import annotations

import secrets
import sqlite3
from typing import NamedTuple

from kcl_flowlog.commits import claims_made, meta
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import StaleProcessor

_TOKEN_BYTES = 4


class Claim(NamedTuple):
    """The right to commit for a shard."""

    shard_id: str
    token: str
    generation: int


class LeftCommit(NamedTuple):
    """A prepared delta whose holder is gone: only the lease table can tell whether `upto` was checkpointed."""

    shard_id: str
    token: str
    upto: Position


class Settlement(NamedTuple):
    """The size of a left commit that was settled."""

    flows: int
    packets: int
    bytes: int


def claim_shard(db: sqlite3.Connection, shard_id: str, generation: int, begins_at: Position) -> Claim:
    """Make a new holder of a shard and return its claim. Raises `StaleProcessor` if the generation is over."""
    _check_generation(db, generation)
    token = f"{claims_made.ledger_id(db)}.{secrets.token_urlsafe(_TOKEN_BYTES)}"
    claim = Claim(shard_id, token, generation)
    claims_made.remember(db, shard_id, token, begins_at)
    db.execute("INSERT OR REPLACE INTO holders VALUES (?, ?, ?)", claim)
    return claim


def check_claim(db: sqlite3.Connection, claim: Claim) -> None:
    """Raise `StaleProcessor` unless the claim is the latest on its shard, in the current generation."""
    _check_generation(db, claim.generation)
    row = db.execute("SELECT token FROM holders WHERE shard_id = ?", (claim.shard_id,)).fetchone()
    if row is None or row[0] != claim.token:
        raise StaleProcessor(f"Another processor has taken over {claim.shard_id}.")


def is_held_by(db: sqlite3.Connection, shard_id: str, token: str) -> bool:
    """Return whether the claim with this token is the latest on a shard, in the current generation."""
    query = "SELECT 1 FROM holders_now WHERE shard_id = ? AND token = ?"
    return db.execute(query, (shard_id, token)).fetchone() is not None


def left_commits(db: sqlite3.Connection) -> list[LeftCommit]:
    """Return the prepared deltas that their holder has abandoned, or whose holder was replaced."""
    rows = db.execute(
        "SELECT shard_id, token, upto_sequence, upto_sub FROM prepared"
        " WHERE abandoned OR (shard_id, token) NOT IN (SELECT shard_id, token FROM holders_now)"
        " ORDER BY shard_id, token"
    )
    return [LeftCommit(shard_id, token, Position(*upto)) for shard_id, token, *upto in rows]


def _check_generation(db: sqlite3.Connection, generation: int) -> None:
    if meta.read(db, meta.GENERATION) != generation:
        raise StaleProcessor(f"Generation {generation} of this instance's processors is over.")
