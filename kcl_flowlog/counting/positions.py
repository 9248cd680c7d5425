"""Positions in a shard.

A position is a sequence number and a sub-sequence number, as the KCL gives
them. A checkpoint may also be a word of the KCL: before any record
(`TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP`) or after the last (`SHARD_END`).
"""

from __future__ import annotations

from typing import NamedTuple

SHARD_END = "SHARD_END"
_STARTS = ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP")


class Position(NamedTuple):
    """A position in a shard; compare positions by `rank`, never as text."""

    sequence: str
    sub_sequence: int = 0

    def rank(self) -> tuple[int, int, int]:
        """Return a key that orders the positions of a shard.

        Raises `ValueError` if the sequence number is neither a number nor a
        word of the KCL.
        """
        if self.sequence in _STARTS:
            return (0, 0, 0)
        if self.sequence == SHARD_END:
            return (2, 0, 0)
        return (1, int(self.sequence), self.sub_sequence)


class PayloadOrigin(NamedTuple):
    """The shard and the position that a payload was read from."""

    shard_id: str
    position: Position
