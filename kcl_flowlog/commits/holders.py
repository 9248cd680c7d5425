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

from kcl_flowlog.commits import meta
from kcl_flowlog.commits.checked_table import CheckedTable
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import StaleProcessor

HOLDERS = CheckedTable("holders", ("shard_id",), ("token", "generation"))
PREPARED = CheckedTable("prepared", ("shard_id", "token"), ("upto_sequence", "upto_sub", "abandoned"))

_TOKEN_BYTES = 6


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


def claim_shard(db: sqlite3.Connection, shard_id: str, generation: int) -> Claim:
    """Make a new holder of a shard and return its claim. Raises `StaleProcessor` if the generation is over."""
    _check_generation(db, generation)
    claim = Claim(shard_id, secrets.token_hex(_TOKEN_BYTES), generation)
    HOLDERS.put(db, claim)
    return claim


def check_claim(db: sqlite3.Connection, claim: Claim) -> None:
    """Raise `StaleProcessor` unless the claim is the latest on its shard, in the current generation."""
    _check_generation(db, claim.generation)
    row = HOLDERS.get(db, claim.shard_id)
    if row is None or row[1] != claim.token:
        raise StaleProcessor(f"Another processor has taken over {claim.shard_id}.")


def is_held_by(db: sqlite3.Connection, shard_id: str, token: str) -> bool:
    """Return whether the claim with this token is the latest on a shard, in the current generation."""
    return HOLDERS.get(db, shard_id) == (shard_id, token, meta.read(db, meta.GENERATION))


def left_commits(db: sqlite3.Connection) -> list[LeftCommit]:
    """Return the prepared deltas that their holder has abandoned, or whose holder was replaced."""
    generation = meta.read(db, meta.GENERATION)
    holding = {(shard_id, token) for shard_id, token, of in HOLDERS.all_rows(db) if of == generation}
    return [
        LeftCommit(shard_id, token, Position(*upto))
        for shard_id, token, *upto, abandoned in sorted(PREPARED.all_rows(db))
        if abandoned or (shard_id, token) not in holding
    ]


def _check_generation(db: sqlite3.Connection, generation: int) -> None:
    if meta.read(db, meta.GENERATION) != generation:
        raise StaleProcessor(f"Generation {generation} of this instance's processors is over.")
