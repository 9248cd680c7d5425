"""Who held a shard, and where each began: what its lease row tells of commits in doubt, and of records that kill.

A holder may checkpoint nothing until it has added its claim to the lease row:
a token of its own, and the checkpoint that it begins from. It is added only
while the row still has that checkpoint and its instance for an owner. So from
one claim to the next only the holder of the first can have moved the
checkpoint, and where the next begins tells whether it did.

A claim may also name a suspect: the record that the last holder on the same
instance had in hand when it died. Where several that begin at one checkpoint
name the same record, it is what kills, whichever instances it has killed on.

Pure. Knows no DynamoDB, and of the row only what it needs.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from typing import NamedTuple

from kcl_flowlog.counting.positions import SHARD_END, Position

DEATHS = 3
"""How many deaths with the same record in hand, and no checkpoint in between, make it poison."""

# A claim has 26 bytes, with a suspect 39. With the KCL's own attributes a row of so many stays below 1 KB, the unit by
# which DynamoDB bills.
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


class Permit(NamedTuple):
    """What a holder gets for its claim: it may commit, but has to pass over the records with these marks."""

    poison: frozenset[str]


class _Claim(NamedTuple):
    """One claim: the marks tell where it begins, and which record its instance suspects, if any."""

    token: str
    begins_at: str
    suspect: str = ""

    @classmethod
    def parse(cls, text: str) -> _Claim:
        token, _, marks = text.partition("@")
        return cls(token, *marks.split("!", 1))

    def __str__(self) -> str:
        return f"{self.token}@{self.begins_at}" + (f"!{self.suspect}" if self.suspect else "")


def mark(position: Position) -> str:
    """Return a short form of a position, which has up to 60 digits; only ever compared for being the same."""
    text = f"{position.sequence}:{position.sub_sequence}"
    return hashlib.blake2b(text.encode(), digest_size=_MARK_BYTES).hexdigest()


def with_claim(row: LeaseRow, token: str, suspect: str = "") -> str:
    """Return the claims of a row and after them one more, that begins at the row's checkpoint.

    `suspect` is the mark of the record that the holder before, of the same
    instance, died of; empty where there is none.
    """
    return " ".join([*row.claims.split(), str(_Claim(token, mark(row.checkpoint), suspect))][-_MOST:])


def has_claim(row: LeaseRow, token: str) -> bool:
    """Say whether a claim of this token stands in a row."""
    return any(claim.token == token for claim in _claims(row))


def poison(row: LeaseRow) -> frozenset[str]:
    """Return the marks of the records that have killed too many processors since the checkpoint was last moved."""
    here = mark(row.checkpoint)
    suspects = Counter(claim.suspect for claim in _claims(row) if claim.suspect and claim.begins_at == here)
    return frozenset(suspect for suspect, deaths in suspects.items() if deaths >= DEATHS)


def verdict(row: LeaseRow | None, token: str, upto: Position) -> Verdict | None:
    """Say what became of a commit up to `upto` by the holder with this token, or None where time will tell.

    `row` is None where it has been deleted: the shard has ended long ago.
    """
    if row is None:
        return Verdict.UNDECIDED
    is_behind = row.checkpoint.rank() < upto.rank()
    claims = _claims(row)
    tokens = [claim.token for claim in claims]
    if token not in tokens:
        # So many others have come since that the claim is gone. But a checkpoint never goes back.
        return Verdict.DROP if is_behind else Verdict.UNDECIDED
    later = claims[tokens.index(token) + 1 :]
    if later:
        return Verdict.FOLD if later[0].begins_at == mark(upto) else Verdict.DROP
    # Instead of the position of a shard's last record, the KCL writes its end.
    if row.checkpoint == upto or row.checkpoint.sequence == SHARD_END:
        return Verdict.FOLD
    # Behind: the request may still be on its way. Beyond: someone went on who makes no claims.
    return None if is_behind else Verdict.UNDECIDED


def _claims(row: LeaseRow) -> list[_Claim]:
    return [_Claim.parse(text) for text in row.claims.split()]
