"""The bytes of the peers that come again and again, in a table with one place for each hash.

A newer peer takes the place of an older, whose sum is handed back. So nothing is lost, and only few rows are left to be
sorted. Holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcl_flowlog.counting.who.heaviest import NO_ROWS, Rows
from kcl_flowlog.counting.who.names import Integers, Numbers, Words, column, hash_of, in_group

_BITS = 14
_SHIFT = np.uint64(64 - _BITS)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class PeerBytes:
    """Sums of names of so many words."""

    def __init__(self, word_count: int) -> None:
        size = 1 << _BITS
        self._word_count = word_count
        self._idents: Words = np.zeros(size, np.uint64)
        self._sums: Numbers = np.zeros(size)
        self._groups: Integers = np.zeros(size, np.int64)
        self._words: Words = np.zeros((word_count, size), np.uint64)
        self._last: Integers = np.zeros(size, np.int64)

    def add(self, groups: Integers, words: Sequence[Words], octets: Numbers) -> Rows:
        """Add the bytes of names; return the rows that have no place any more."""
        idents = in_group(hash_of(words), groups)
        places = ((idents * _FACTOR) >> _SHIFT).view(np.int64)
        is_here = self._idents.take(places) == idents
        rest = np.flatnonzero(~is_here)
        left = NO_ROWS
        if len(rest):
            left = self._replace(places[rest], idents[rest], groups[rest], [each[rest] for each in words])
            is_here = self._idents.take(places) == idents
            lost = np.flatnonzero(~is_here)
            if len(lost):
                more = self._rows([each[lost] for each in words], groups[lost], octets[lost])
                left = Rows(*(np.concatenate(both) for both in zip(left, more, strict=True)))
                octets = np.where(is_here, octets, 0.0)
        np.add.at(self._sums, places, octets)
        return left

    def take(self) -> Rows:
        """Return all rows, and begin anew."""
        used = np.flatnonzero(self._sums)
        rows = self._rows_at(used)
        self._idents[:] = 0
        self._sums[:] = 0.0
        return rows

    def _replace(self, places: Integers, idents: Words, groups: Integers, words: Sequence[Words]) -> Rows:
        """Give places to new names, one for each place; return the rows that were there."""
        numbers = np.arange(len(places))
        self._last[places] = numbers
        new = np.flatnonzero(self._last[places] == numbers)
        at = places[new]
        left = self._rows_at(at[self._sums[at] != 0.0])
        self._idents[at], self._groups[at], self._sums[at] = idents[new], groups[new], 0.0
        for place, each in enumerate(words):
            self._words[place, at] = each[new]
        return left

    def _rows_at(self, places: Integers) -> Rows:
        words = [self._words[place].take(places) for place in range(self._word_count)]
        return self._rows(words, self._groups[places], self._sums[places])

    def _rows(self, words: Sequence[Words], groups: Integers, octets: Numbers) -> Rows:
        return Rows(groups, hash_of(words), column(words), octets, np.zeros(len(groups)))
