"""The watched ports of rejected records."""

from __future__ import annotations

import numpy as np

from kcl_flowlog.counting.columns.text import WORD, Integers, Lines, Words, mask_of, word_of

_MASKS: Words = np.array([mask_of(width + 1) for width in range(WORD)], np.uint64)


class Ports:
    """The labels of ports: the watched ports, and one for all others."""

    def __init__(self, watched: frozenset[str], other: str) -> None:
        self.are_short = all(port.isascii() and len(port) < WORD for port in watched)
        """False if a port is no number of five digits; then columns can't tell which field is equal to it."""
        ports = sorted(watched, key=lambda port: word_of(" " + port))
        self.names = (*ports, other)
        self._words: Words = np.array([word_of(" " + port) for port in ports], np.uint64)

    def numbers(self, lines: Lines, field: int | None, rows: Integers) -> Integers:
        """Return the places of the labels of a field, None if the lines lack it."""
        other = len(self._words)
        if field is None or not other:
            return np.full(len(rows), other, np.int64)
        # A field that is too long keeps a letter where a port has its space.
        words = lines.words_before(lines.ends(field)[rows]) & _MASKS.take(lines.widths(field)[rows], mode="clip")
        places = np.minimum(np.searchsorted(self._words, words), other - 1)
        return np.where(self._words[places] == words, places, other)
