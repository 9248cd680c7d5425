"""The claims in a lease row: which commits happened, and which records kill processors.

A holder may checkpoint nothing until it has added its claim to the lease row: its token, and the checkpoint it begins
at. A claim is added only while the row still has that checkpoint and names the holder's instance as owner. So between
one claim and the next only the holder of the first can have moved the checkpoint, and where the next claim begins
tells whether it did.

A claim may also name a suspect: the record that the previous holder on the same instance had in hand when it died. If
several claims that begin at one checkpoint name the same record, it kills processors, on whichever instances.

Pure: knows no DynamoDB, and of the row only `LeaseRow`.
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from typing import NamedTuple

from kcl_flowlog.counting.positions import SHARD_END, Position

DEATHS = 3
"""After how many deaths with the same record in hand, and no checkpoint in between, it is skipped."""

# A claim has 26 bytes, 39 with a suspect. With the KCL's own attributes a row of this many stays below 1 KB, the unit
# by which DynamoDB bills.
_MOST_CLAIMS = 16
_DIGEST_BYTES = 6


class Verdict(enum.Enum):
    """What to do with a prepared delta."""

    DROP = "drop"
    FOLD = "fold"
    UNDECIDED = "undecided"


class LeaseRow(NamedTuple):
    """A shard's row: the worker id of its owner, its checkpoint, and its claims, oldest first."""

    owner: str
    checkpoint: Position
    claims: str = ""


class Permit(NamedTuple):
    """The answer to a registered claim: commit, but skip the records with these digests."""

    poison: frozenset[str]


class _ClaimEntry(NamedTuple):
    """A claim as the row holds it, `TOKEN@BEGIN` or `TOKEN@BEGIN!SUSPECT`; the latter two are digests."""

    token: str
    begins_at: str
    suspect: str = ""

    @classmethod
    def parse(cls, text: str) -> _ClaimEntry:
        token, _, digests = text.partition("@")
        return cls(token, *digests.split("!", 1))

    def __str__(self) -> str:
        return f"{self.token}@{self.begins_at}" + (f"!{self.suspect}" if self.suspect else "")


def digest(position: Position) -> str:
    """Return a short form of a position, which has up to 60 digits; digests are only compared for equality."""
    text = f"{position.sequence}:{position.sub_sequence}"
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def with_claim(row: LeaseRow, token: str, suspect: str = "") -> str:
    """Return the claims of a row followed by a new claim, which begins at the row's checkpoint.

    `suspect` is the digest of the record that the previous holder on the same instance died of, empty if none.
    """
    return " ".join([*row.claims.split(), str(_ClaimEntry(token, digest(row.checkpoint), suspect))][-_MOST_CLAIMS:])


def has_claim(row: LeaseRow, token: str) -> bool:
    """Return whether the row holds a claim with this token."""
    return any(claim.token == token for claim in _claims(row))


def poison(row: LeaseRow) -> frozenset[str]:
    """Return the digests of the records that killed `DEATHS` processors since the checkpoint was last moved."""
    here = digest(row.checkpoint)
    suspects = Counter(claim.suspect for claim in _claims(row) if claim.suspect and claim.begins_at == here)
    return frozenset(suspect for suspect, deaths in suspects.items() if deaths >= DEATHS)


def verdict(row: LeaseRow | None, token: str, upto: Position) -> Verdict | None:
    """Return the outcome of a commit up to `upto` by the holder with this token; None if it is still open.

    `row` is None if the KCL has deleted it, long after the shard's end.
    """
    if row is None:
        return Verdict.UNDECIDED
    is_behind = row.checkpoint.rank() < upto.rank()
    claims = _claims(row)
    tokens = [claim.token for claim in claims]
    if token not in tokens:
        # Many later claims have pushed this claim out. But a checkpoint never goes back.
        return Verdict.DROP if is_behind else Verdict.UNDECIDED
    later = claims[tokens.index(token) + 1 :]
    # At a shard's end the KCL writes SHARD_END in place of the last record's position.
    if later:
        return Verdict.FOLD if later[0].begins_at in (digest(upto), digest(Position(SHARD_END))) else Verdict.DROP
    if row.checkpoint == upto or row.checkpoint.sequence == SHARD_END:
        return Verdict.FOLD
    # Behind: the request may still be on its way. Ahead: a holder without a claim went on.
    return None if is_behind else Verdict.UNDECIDED


def _claims(row: LeaseRow) -> list[_ClaimEntry]:
    return [_ClaimEntry.parse(text) for text in row.claims.split()]
