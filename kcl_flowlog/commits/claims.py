"""The claims in a lease row: which commits happened, and which records kill processors.

A holder may checkpoint nothing until it has added its claim to the lease row: its token, and the checkpoint it begins
at. A claim is added only while the row still has that checkpoint and names the holder's instance as owner. So between
one claim and the next only the holder of the first can have moved the checkpoint, and where the next claim begins
tells whether it did.

A claim also says what is known of deaths (`commits.deaths`): the record that the previous holder on the same instance
had in hand when it died, how carefully the holder itself goes on, and the record that it has in hand.

Pure: knows no DynamoDB, and of the row only `LeaseRow`.
"""

from __future__ import annotations

import enum
import hashlib
from typing import NamedTuple

from kcl_flowlog.counting.positions import SHARD_END, Position

# With the KCL's own attributes, half a kilobyte, a row stays below 1 KB, the unit by which DynamoDB bills. A claim has
# 29 bytes, and 13 more for each record that it names.
_MOST_CLAIMS = 16
_MOST_BYTES = 480
_DIGEST_BYTES = 6


class Verdict(enum.Enum):
    """What to do with a prepared delta."""

    DROP = "drop"
    FOLD = "fold"
    UNDECIDED = "undecided"


class Care(enum.Enum):
    """How a holder goes on after unexplained deaths; the value is how a claim says it."""

    NORMAL = ""
    SURVIVED = "0"
    """It was careful, and has lived through that."""
    GROUPS = "1"
    """It commits after each group of records."""
    SINGLE = "2"
    """It names each record in its claim, counts it, and commits."""


_CARES = {care.value: care for care in Care}


class LeaseRow(NamedTuple):
    """A shard's row: the worker id of its owner, its checkpoint, its claims, oldest first, and its lease counter.

    Each renewal of the lease, each checkpoint and each new owner add to the counter.
    """

    owner: str
    checkpoint: Position
    claims: str = ""
    counter: int = 0


class Permit(NamedTuple):
    """The answer to a registered claim: commit with this care, but skip the records with these digests."""

    poison: frozenset[str]
    care: Care = Care.NORMAL


class Claim(NamedTuple):
    """A claim as the row holds it: `TOKEN@BEGIN`, or in full `TOKEN*CARE~IN_HAND@BEGIN!SUSPECT`.

    `begins_at`, `suspect` and `in_hand` are digests. The version before knew only `TOKEN@BEGIN!SUSPECT`; it reads
    whatever comes before the `@` as the token.
    """

    token: str
    begins_at: str
    suspect: str = ""
    care: Care = Care.NORMAL
    in_hand: str = ""

    @classmethod
    def parse(cls, text: str) -> Claim:
        """Return the claim that the row holds as this text."""
        holder, _, digests = text.partition("@")
        begins_at, _, suspect = digests.partition("!")
        holder, _, in_hand = holder.partition("~")
        token, _, care = holder.partition("*")
        return cls(token, begins_at, suspect, _CARES.get(care, Care.NORMAL), in_hand)

    def __str__(self) -> str:
        care = f"*{self.care.value}" if self.care.value else ""
        in_hand = f"~{self.in_hand}" if self.in_hand else ""
        suspect = f"!{self.suspect}" if self.suspect else ""
        return f"{self.token}{care}{in_hand}@{self.begins_at}{suspect}"


def digest(position: Position) -> str:
    """Return a short form of a position, which has up to 60 digits; digests are only compared for equality."""
    text = f"{position.sequence}:{position.sub_sequence}"
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def claims_of(row: LeaseRow) -> list[Claim]:
    """Return the claims of a row, oldest first."""
    return [Claim.parse(text) for text in row.claims.split()]


def with_claim(row: LeaseRow, token: str, suspect: str = "", care: Care = Care.NORMAL) -> str:
    """Return the claims of a row followed by a new claim, which begins at the row's checkpoint.

    `suspect` is the digest of the record that the previous holder on the same instance died of, empty if none.
    """
    return _fit([*row.claims.split(), str(Claim(token, digest(row.checkpoint), suspect, care))])


def with_note(row: LeaseRow, token: str, care: Care, in_hand: str) -> str | None:
    """Return the claims of a row with other notes in the claim with this token; None if it is not the last claim."""
    *earlier, last = row.claims.split() or [""]
    claim = Claim.parse(last)
    if claim.token != token:
        return None
    return _fit([*earlier, str(claim._replace(care=care, in_hand=in_hand))])


def _fit(claims: list[str]) -> str:
    """Return the latest of the claims that fit into a row."""
    kept = claims[-_MOST_CLAIMS:]
    while len(" ".join(kept)) > _MOST_BYTES:
        del kept[0]
    return " ".join(kept)


def has_claim(row: LeaseRow, token: str) -> bool:
    """Return whether the row holds a claim with this token."""
    return any(claim.token == token for claim in claims_of(row))


def verdict(row: LeaseRow | None, token: str, upto: Position) -> Verdict | None:
    """Return the outcome of a commit up to `upto` by the holder with this token; None if it is still open.

    `row` is None if the KCL has deleted it, long after the shard's end.
    """
    if row is None:
        return Verdict.UNDECIDED
    is_behind = row.checkpoint.rank() < upto.rank()
    claims = claims_of(row)
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
