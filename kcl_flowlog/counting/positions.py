"""Where in a shard one is.

A position is a sequence number and a sub-sequence number, as the KCL gives
them. Instead of a sequence number a checkpoint can hold one of the KCL's
words: before any record (`TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP`) or after
the last (`SHARD_END`).
"""

from __future__ import annotations

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
