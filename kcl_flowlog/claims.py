"""Who held a shard, and where each began: what its lease row tells of a commit that was left in doubt.

A holder may checkpoint nothing until it has added its claim to the lease row:
a token of its own, and the checkpoint that it begins from. It is added only
while the row still has that checkpoint and its instance for an owner. So from
one claim to the next only the holder of the first can have moved the
checkpoint, and where the next begins tells whether it did.

Pure. Knows no DynamoDB, and of the row only what it needs.
"""

from __future__ import annotations

import enum
import hashlib
from typing import NamedTuple

from kcl_flowlog.positions import Position

# A claim has 25 bytes. With the KCL's own attributes a row of so many stays below 1 KB, the unit DynamoDB bills by.
_MOST = 16
_MARK_BYTES = 6


class Verdict(enum.Enum):
    """What becomes of a prepared delta."""

    DROP = "drop"
    FOLD = "fold"
    UNDECIDED = "undecided"


class LeaseRow(NamedTuple):
    """A shard's row: the worker id of its owner, its checkpoint, and its claims, the oldest first."""

    owner: str
    checkpoint: Position
    claims: str = ""


def with_claim(row: LeaseRow, token: str) -> str:
    """Return the claims of a row and after them one more, that begins at the row's checkpoint."""
    return " ".join([*row.claims.split(), f"{token}@{_mark(row.checkpoint)}"][-_MOST:])


def has_claim(row: LeaseRow, token: str) -> bool:
    """Say whether a claim of this token stands in a row."""
    return token in _tokens(row)


def verdict(row: LeaseRow | None, token: str, upto: Position) -> Verdict | None:
    """Say what became of a commit up to `upto` by the holder with this token, or None where time will tell.

    `row` is None where it has been deleted: the shard has ended long ago.
    """
    if row is None:
        return Verdict.UNDECIDED
    is_behind = row.checkpoint.rank() < upto.rank()
    tokens = _tokens(row)
    if token not in tokens:
        # So many others have come since that the claim is gone. But a checkpoint never goes back.
        return Verdict.DROP if is_behind else Verdict.UNDECIDED
    later = row.claims.split()[tokens.index(token) + 1 :]
    if later:
        return Verdict.FOLD if later[0].endswith(f"@{_mark(upto)}") else Verdict.DROP
    if row.checkpoint == upto:
        return Verdict.FOLD
    # Behind: the request may still be on its way. Beyond: someone went on who makes no claims.
    return None if is_behind else Verdict.UNDECIDED


def _tokens(row: LeaseRow) -> list[str]:
    return [claim.partition("@")[0] for claim in row.claims.split()]


def _mark(position: Position) -> str:
    """Return a short form of a position, which has up to 60 digits; only ever compared for being the same."""
    text = f"{position.sequence}:{position.sub_sequence}"
    return hashlib.blake2b(text.encode(), digest_size=_MARK_BYTES).hexdigest()
