"""The places of the spaces in lines of text, as many in each line.

Either all are known, or there is a bit for each byte of text, and the places are found when somebody asks for them.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

BITS: Final = 64
"""The bits of a word, each for a byte of text."""
_TOP_BIT: Final = np.uint64(BITS - 1)
_ONE: Final = np.uint64(1)
# By the number of bits, the lowest bits of a word.
_LOWEST: Final[NDArray[np.uint64]] = np.array([2**bits - 1 for bits in range(BITS + 1)], np.uint64)


class Spaces(Protocol):
    """The spaces of some lines."""

    @property
    def count(self) -> int:
        """The number of spaces in each line."""

    def at(self, number: int) -> NDArray[np.int64]:
        """Return the place of the space with this number in each line, from 0 on."""

    def rows(self, rows: slice | NDArray[np.int64]) -> Spaces:
        """Return the spaces of some of the lines."""


class KnownSpaces:
    """Spaces whose places are known, a row for each line."""

    def __init__(self, places: NDArray[np.int64]) -> None:
        self._places = places
        self.count: int = places.shape[1]

    def at(self, number: int) -> NDArray[np.int64]:
        """Return the place of the space with this number in each line, from 0 on."""
        # Columns that are far apart in memory are slow.
        return np.ascontiguousarray(self._places[:, number])

    def rows(self, rows: slice | NDArray[np.int64]) -> KnownSpaces:
        """Return the spaces of some of the lines."""
        return KnownSpaces(self._places[rows])


class SpaceBits:
    """Spaces as bits, several words for each line.

    The last word of each line comes first, and the lowest bit of a word is for the last of its bytes. `ends` are the
    places behind the lines.
    """

    def __init__(self, words: NDArray[np.uint64], ends: NDArray[np.int64], count: int) -> None:
        self.count = count
        self._words, self._ends = words, ends
        # The last space was found first.
        self._found: list[NDArray[np.int64]] = []
        # The word in hand of each line, without the spaces that were found, and the place that follows its bytes.
        self._rest, self._behind = words[0].copy(), ends.copy()
        self._number = np.zeros(len(ends), np.int64)

    def at(self, number: int) -> NDArray[np.int64]:
        """Return the place of the space with this number in each line, from 0 on."""
        while len(self._found) < self.count - number:
            self._found.append(self._find_next())
        return self._found[self.count - 1 - number]

    def rows(self, rows: slice | NDArray[np.int64]) -> SpaceBits:
        """Return the spaces of some of the lines."""
        return SpaceBits(self._words[:, rows], self._ends[rows], self.count)

    def _find_next(self) -> NDArray[np.int64]:
        """Return the places of the last spaces that were not found before."""
        rest = self._rest
        while int(rest.min()) == 0:
            done = np.flatnonzero(rest == 0)
            self._number[done] += 1
            self._behind[done] -= BITS
            rest[done] = self._words[self._number[done], done]
        less = rest - _ONE
        # As many bits change as there are up to the lowest that is set.
        places: NDArray[np.int64] = np.bitwise_count(rest ^ less).astype(np.int64)
        np.subtract(self._behind, places, out=places)
        rest &= less
        return places


def space_bits(
    flags: NDArray[np.bool_], lengths: NDArray[np.int64], ends: NDArray[np.int64], count: int
) -> SpaceBits | None:
    """Return the spaces of lines, each at the end of a row; the length of a row is a multiple of `BITS`.

    `flags` tell which bytes are spaces; in front of a line is something else. None if the number of spaces is not
    `count` in each line, or if two are adjacent, or if the last letter of a line is one.
    """
    words_of_line = np.packbits(flags).view(">u8").reshape(len(lengths), -1)
    words = np.ascontiguousarray(words_of_line.T[::-1], np.uint64)
    numbers = np.zeros(len(lengths), np.uint16)
    # What follows a line counts as a space.
    carry: NDArray[np.uint64] | np.uint64 = _ONE
    for place, word in enumerate(words):
        word &= _LOWEST.take(lengths - BITS * place, mode="clip")
        if (word & (word << _ONE | carry)).any():
            return None
        carry = word >> _TOP_BIT
        numbers += np.bitwise_count(word)
    return None if (numbers != count).any() else SpaceBits(words, ends, count)
