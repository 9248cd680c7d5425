"""Where in a shard one is, and what a checkpoint says about a prepared commit.

A position is a sequence number and a sub-sequence number, as the KCL gives
them. Instead of a sequence number a checkpoint can hold one of the KCL's
words: before any record (`TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP`) or after
the last (`SHARD_END`).
"""

from __future__ import annotations

import enum
from typing import NamedTuple

SHARD_END = "SHARD_END"
_STARTS = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")


class Position(NamedTuple):
    """A place in a shard; ordered by `rank`, never as text."""

    sequence: str
    sub_sequence: int = 0

    def rank(self) -> tuple[int, int, int]:
        """Return a key to compare positions of one shard by.

        Raises `ValueError` for a sequence number that is neither a number nor
        a word of the KCL.
        """
        if self.sequence in _STARTS:
            return (0, 0, 0)
        if self.sequence == SHARD_END:
            return (2, 0, 0)
        return (1, int(self.sequence), self.sub_sequence)


class Verdict(enum.Enum):
    """What becomes of a prepared delta once the shard's checkpoint is known."""

    DROP = "drop"
    FOLD = "fold"
    UNDECIDED = "undecided"


def settle(base: Position, upto: Position, checkpoint: Position, is_fresh: bool = False) -> Verdict:
    """Say what became of the commit from `base` up to `upto`, given the `checkpoint` of now.

    Before or at `base`: it never happened, the records come again. At `upto`:
    it happened. Between: someone else has begun to count them. Beyond: someone
    went on from here, from our commit or instead of it. A commit that `is_fresh`
    is so young that nobody can have gone on from it yet; of others nothing tells.
    """
    if checkpoint == base or checkpoint.rank() < upto.rank():
        return Verdict.DROP
    if checkpoint.rank() == upto.rank():
        return Verdict.FOLD
    return Verdict.DROP if is_fresh else Verdict.UNDECIDED
