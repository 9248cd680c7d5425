"""Lines of text, whose fields are found all at once.

Each line has the same number of words; between two words is a space, and nothing else. Beside its bytes, the text is
also seen as 8-byte words that begin at any place, so that a short field is compared or converted as one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kcl_flowlog.counting.columns.spaces import KnownSpaces, Spaces

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]
Octets = NDArray[np.uint8]
Flags = NDArray[np.bool_]

WORD = 8
"""The bytes of a word."""
PADDING = 48
"""The bytes in front of the first field: words in front of a short field are read with it."""
SPACE = 32
_LINE_FEED, _BRACE = 10, 123
_FRONT = "0 "
MAX_LENGTH = 2048
"""The longest line in characters; with all fields and no tags, it has a third of that."""


class Text:
    """ASCII text with `PADDING` bytes of padding in front, as bytes and words."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.octets: Octets = np.frombuffer(data, np.uint8)
        # Of each size; making one takes as long as reading a thousand places.
        self._windows_of: dict[int, NDArray[np.void]] = {}

    def words(self, starts: Integers, count: int) -> Words:
        """Return `count` words from each place on, one after the other: far faster than each alone."""
        return self._windows(starts, WORD * count).view("<u8")

    def windows(self, starts: Integers, size: int) -> memoryview:
        """Return so many bytes from each place on, one after the other."""
        return self._windows(starts, size).view(np.uint8).data

    def _windows(self, starts: Integers, size: int) -> NDArray[np.void]:
        windows = self._windows_of.get(size)
        if windows is None:
            windows = np.ndarray((len(self.data) - size + 1,), f"V{size}", self.data, strides=(1,))
            self._windows_of[size] = windows
        return windows[starts]


class Lines:
    """Lines of a text: the places before and after each, and those of the spaces between its fields."""

    def __init__(
        self, text: Text, starts: Integers, spaces: Spaces, ends: Integers, matrix: Words | None = None
    ) -> None:
        """If each line ends a row of words, these are the `matrix`: then the last words need not be copied."""
        self.octets = text.octets
        self.count = len(starts)
        self._text = text
        self._starts, self._spaces, self._ends = starts, spaces, ends
        self._matrix = matrix
        # The columns that were used.
        self._columns: dict[int, Integers] = {}

    def rows(self, rows: slice | Integers) -> Lines:
        """Return some of the lines."""
        matrix = self._matrix[rows] if self._matrix is not None and isinstance(rows, slice) else None
        return Lines(self._text, self._starts[rows], self._spaces.rows(rows), self._ends[rows], matrix)

    def ends(self, field: int) -> Integers:
        """Return the ends of a field in all lines."""
        return self._column(field + 1)

    def widths(self, field: int) -> Integers:
        """Return the lengths of a field in all lines."""
        return self._column(field + 1) - self._column(field) - 1

    def starts(self, field: int) -> Integers:
        """Return the places before a field in all lines."""
        return self._column(field)

    def words_before(self, ends: Integers) -> Words:
        """Return the eight bytes before each place, the first in the lowest bits."""
        return self._text.words(ends - WORD, 1)

    def tails(self, ends: Integers, count: int) -> list[Words]:
        """Return the last `count` words of fields with these ends, the last first."""
        words = self._text.words(ends - WORD * count, count).reshape(len(ends), count)
        return [words[:, place] for place in range(count - 1, -1, -1)]

    def last_words(self, field: int, count: int) -> list[Words]:
        """Return the last `count` words of a field and what precedes it, the last first."""
        if self._matrix is None or field < self._spaces.count:
            return self.tails(self.ends(field), count)
        return [self._matrix[:, -1 - place] for place in range(count)]

    def fields(self, ends: Integers) -> list[str]:
        """Return the fields with these ends; each must follow a space."""
        data = self._text.data
        return [str(data[max(0, end - MAX_LENGTH) : end], "ascii").rpartition(" ")[2] for end in ends.tolist()]

    def messages(self, rows: Integers) -> list[str]:
        """Return some lines as a whole."""
        data = self._text.data
        starts, ends = self._starts[rows] + 1, self._ends[rows]
        return [str(data[start:end], "ascii") for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def _column(self, place: int) -> Integers:
        column = self._columns.get(place)
        if column is None:
            column = self._columns[place] = self._bounds_at(place)
        return column

    def _bounds_at(self, place: int) -> Integers:
        if place == 0:
            return np.ascontiguousarray(self._starts)
        return np.ascontiguousarray(self._ends) if place > self._spaces.count else self._spaces.at(place - 1)


def left(lines: Lines, done: Flags, counts: Sequence[int]) -> list[list[str]]:
    """Return the lines that are not done, of each of several groups that follow each other."""
    rows = np.flatnonzero(~done)
    if not len(rows):
        return [[] for _ in counts]
    messages = lines.messages(rows)
    places = np.searchsorted(rows, np.cumsum([0, *counts])).tolist()
    return [messages[start:end] for start, end in pairwise(places)]


def join(messages: Sequence[str], field_count: int, has_column_in_front: bool) -> Lines:
    """Return messages as lines. Raises `ValueError` if any has another shape; see `is_regular`.

    With `has_column_in_front`, each line gets one more word in front, so that also the first field follows a space.
    """
    front = _FRONT if has_column_in_front else ""
    joined = "".join(("0" * (PADDING - 1), "\n", front, f"\n{front}".join(messages), "\n"))
    if not joined.isascii():
        raise ValueError("not ASCII")
    text = Text(memoryview(joined.encode()))
    columns = field_count + has_column_in_front
    are_separators = text.octets <= SPACE
    # Each place takes as much memory as eight characters.
    if np.count_nonzero(are_separators) != len(messages) * columns + 1:
        raise ValueError("another number of words")
    separators = np.flatnonzero(are_separators)
    _check(text.octets, separators, are_separators, columns, len(front))
    stride = separators.strides[0]
    bounds = np.lib.stride_tricks.as_strided(separators, (len(messages), columns + 1), (columns * stride, stride))
    return Lines(text, bounds[:, 0], KnownSpaces(bounds[:, 1:-1]), bounds[:, -1])


def _check(octets: Octets, separators: Integers, are_separators: Flags, columns: int, front: int) -> None:
    """Raise `ValueError` unless each line ends with a line feed, and has single spaces between its words."""
    line_feeds = separators[::columns]
    is_regular = (
        int(np.count_nonzero(octets == SPACE)) + len(line_feeds) == len(separators)
        and bool((octets.take(line_feeds) == _LINE_FEED).all())
        and not bool((are_separators[1:] & are_separators[:-1]).any())
        and not bool((octets.take(line_feeds[:-1] + (1 + front)) == _BRACE).any())
        and int((line_feeds[1:] - line_feeds[:-1]).max()) <= MAX_LENGTH + 1 + front
    )
    if not is_regular:
        raise ValueError("another shape")


def is_regular(message: str, field_count: int) -> bool:
    """Tell whether a message has the shape that `join` takes."""
    return (
        len(message) <= MAX_LENGTH
        and message.isascii()
        and message.isprintable()
        and not message.startswith("{")
        and message.count(" ") == field_count - 1
        and "" not in message.split(" ")
    )


def word_of(text: str) -> int:
    """Return the last eight characters of a text as a word; a shorter text leaves the lowest bits 0."""
    return int.from_bytes(text[-WORD:].encode().rjust(WORD, b"\0"), "little")


def mask_of(length: int) -> int:
    """Return the mask of the last `length` bytes of a word."""
    kept = max(0, min(WORD, length))
    return (2**64 - 1) >> (64 - 8 * kept) << (64 - 8 * kept) if kept else 0
