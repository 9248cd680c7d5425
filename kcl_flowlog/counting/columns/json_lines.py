"""The lines in the JSON of log events, found without decoding it.

Takes only what CloudWatch Logs writes: `{"id":"…","timestamp":1700000000000,"message":"…"}`, one event after the other,
without spaces, escapes or letters beyond ASCII, with ids of the same length, and no brace in a message. Every byte is
checked, so it is certain that decoding would give the same lines. Any other JSON is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from kcl_flowlog.counting.columns.spaces import BITS, space_bits
from kcl_flowlog.counting.columns.text import (
    MAX_LENGTH,
    PADDING,
    SPACE,
    WORD,
    Flags,
    Integers,
    Lines,
    Octets,
    Text,
    Words,
)

_QUOTE, _COMMA, _BRACE, _END = 34, 44, 123, 125
_ZERO = 48
_QUOTES: Final = 10
"""The quotes of an event."""
# What precedes an id, and what follows it: zeros stand for digits, and after it comes the first letter of the message.
_BEFORE_ID: Final = ',{"id":"'
_AFTER_ID: Final = '","timestamp":0000000000000,"message":"'
_FIRST_DIGIT: Final = _AFTER_ID.index("0")
_LONGEST_ID: Final = 64
# The bytes in front of the first event: the window of any line begins behind them.
_FRONT: Final = PADDING + MAX_LENGTH
# So many events are checked at a time.
_MOST_ROWS = 1024
# The bytes of buffers: at first, and those that are kept.
_LEAST_KEPT = 1024 * 1024
_MOST_KEPT = 2_400_000


class JsonLines(NamedTuple):
    """The lines of several texts, the number of events in each, and the places of their ids."""

    lines: Lines
    counts: list[int]
    ids: tuple[Integers, Integers]
    data: memoryview

    def lines_of(self, are_wanted: Sequence[bool]) -> Lines:
        """Return the lines of some of the texts."""
        if all(are_wanted):
            return self.lines
        return self.lines.rows(np.flatnonzero(np.repeat(are_wanted, self.counts)))

    def outer_ids(self) -> list[tuple[str, str]]:
        """Return the ids of the first and the last event of each text."""
        ends = np.cumsum(self.counts, dtype=np.int64)
        firsts, lasts = (self._ids(rows) for rows in (ends - self.counts, ends - 1))
        return [*zip(firsts, lasts, strict=True)]

    def _ids(self, rows: Integers) -> list[str]:
        starts, ends = (places.take(rows).tolist() for places in self.ids)
        return [str(self.data[start + 1 : end], "ascii") for start, end in zip(starts, ends, strict=True)]


class JsonReader:
    """Finds lines. Its buffers are used again and again: a fresh page of memory costs as much as reading it.

    The lines that it found are valid until more is added.
    """

    def __init__(self) -> None:
        self._allocate(0)
        self.clear()

    @property
    def size(self) -> int:
        """The bytes of all texts that were added."""
        return self._begins[-1] - _FRONT

    def add(self, events: memoryview) -> None:
        """Copy a text: what stands between the brackets of a list of events, in ASCII without a backslash."""
        begin = self._begins[-1]
        end = begin + len(events)
        if end > len(self._text):
            before = self._text[:begin]
            self._allocate(max(end, _LEAST_KEPT))
            self._text[: len(before)] = before
        self._text[begin - 1] = _COMMA
        self._text[begin:end] = events
        self._begins.append(end + 1)

    def clear(self) -> None:
        """Remove all texts."""
        if len(self._text) > _MOST_KEPT:
            self._allocate(0)
        # Where texts begin, each behind a comma, and where the next would.
        self._begins = [_FRONT]

    def find_lines(self, field_count: int) -> JsonLines | None:
        """Return the lines of events whose messages have this number of words, None if there is anything else."""
        size = self._begins[-1] - 1
        text = Text(self._text[:size])
        # Where the brace behind each event is.
        ends = self._find_braces(text.octets)
        are_letters = np.greater(text.octets, _QUOTE, out=self._flags[:size])
        separators = size - int(np.count_nonzero(are_letters))
        if not len(ends) or separators != len(ends) * (field_count - 1 + _QUOTES):
            return None
        id_width = bytes(self._text[_FRONT + len(_BEFORE_ID) - 1 :][:_LONGEST_ID]).find(b'"')
        # The quotes before and after each id.
        id_start = np.empty(len(ends), np.int64)
        id_start[0] = _FRONT + len(_BEFORE_ID) - 2
        np.add(ends[:-1], len(_BEFORE_ID), out=id_start[1:])
        id_end = id_start + (1 + id_width)
        lengths = ends - 1 - (id_end + len(_AFTER_ID))
        if id_width < 1 or int(ends[-1]) != size - 1 or not _are_events(text, id_end, ends, lengths):
            return None
        lines = self._lines_at(text, ends - 1, lengths, field_count - 1)
        if lines is None:
            return None
        counts = np.diff(np.searchsorted(id_start, self._begins))
        return JsonLines(lines, counts.tolist(), (id_start, id_end), text.data)

    def _find_braces(self, octets: Octets) -> Integers:
        """Return the places of closing braces; a wrong place if two are within eight bytes."""
        size = -(-len(octets) // WORD) * WORD
        flags = self._flags[:size]
        flags[-WORD:] = False
        np.equal(octets, _END, out=flags[: len(octets)])
        words = flags.view(np.uint64)
        found = (words != 0).nonzero()[0]
        places: Integers = found * WORD + ((words.take(found) * _PLACE_IN_WORD) >> 56).view(np.int64)
        return places

    def _lines_at(self, text: Text, ends: Integers, lengths: Integers, space_count: int) -> Lines | None:
        """Return the messages with these ends and lengths, None if any has another number of spaces or an empty word.

        They are copied into rows of the same width, each at the end of its row.
        """
        width = -(-(int(lengths.max()) + 1) // BITS) * BITS
        # The first row is only there to be in front of the second.
        size = (len(ends) + 1) * width
        if size > 2 * len(text.octets):
            return None
        copies = text.windows(np.concatenate((ends[:1], ends)) - width, width)
        rows = Text(copies)
        are_spaces = np.equal(rows.octets[width:], SPACE, out=self._flags[: size - width])
        row_ends = np.arange(2 * width, size + width, width)
        spaces = space_bits(are_spaces, lengths, row_ends, space_count)
        if spaces is None:
            return None
        matrix = np.frombuffer(copies, "<u8").reshape(-1, width // WORD)[1:]
        return Lines(rows, row_ends - lengths - 1, spaces, row_ends, matrix)

    def _allocate(self, size: int) -> None:
        size += _FRONT
        octets: Octets = np.empty(size, np.uint8)
        octets[:_FRONT] = _ZERO
        self._text = octets.data
        self._flags: Flags = np.empty(2 * size, np.bool_)


def _are_events(text: Text, id_end: Integers, ends: Integers, lengths: Integers) -> bool:
    """Tell whether the text around ids and messages is that of events, one after the other from begin to end."""
    if int(lengths.min()) < 1 or int(lengths.max()) > MAX_LENGTH:
        return False
    between = text.words(ends[:-1] - 1, _BETWEEN_WORDS)
    after = text.words(id_end, _AFTER_WORDS)
    octets = after.view(np.uint8).reshape(len(ends), _AFTER_WORDS * WORD)
    first_letters = octets[:, len(_AFTER_ID)]
    return (
        bytes(text.data[_FRONT - 1 :][: len(_BEFORE_ID)]) == _BEFORE_ID.encode()
        and text.data[ends[-1] - 1] == _QUOTE
        and bool((between[::_BETWEEN_WORDS] == _BETWEEN[0]).all())
        and bool((between[1::_BETWEEN_WORDS] & _BETWEEN_MASK == _BETWEEN[1]).all())
        and all(_are_middles(after[at : at + _AT_A_TIME]) for at in range(0, len(after), _AT_A_TIME))
        and bool((octets[:, _FIRST_DIGIT] != _ZERO).all())
        and not bool(((first_letters == _BRACE) | (first_letters == SPACE)).any())
    )


def _are_middles(after: Words) -> bool:
    """Tell whether each of some texts that follow an id is `_AFTER_ID`."""
    # A byte that differs where it must not, or is no digit where it must be, sets its highest bit.
    wrong = after ^ _TEMPLATE[: len(after)]
    wrong += _TOLERANCE[: len(after)]
    wrong &= _CHECKED[: len(after)]
    return not bool(wrong.any())


_AFTER_WORDS: Final = (len(_AFTER_ID) + WORD) // WORD


def _words(values: Sequence[int], rows: int) -> Words:
    """Return bytes as words, for each of many rows."""
    padded = [*values, *[0] * (_AFTER_WORDS * WORD - len(values))]
    return np.tile(np.array(padded, np.uint8).view("<u8"), rows)


_AT_A_TIME: Final = _MOST_ROWS * _AFTER_WORDS
# What stands between a message and the next id, as words: the first two bytes of the second.
_BETWEEN: Final = np.frombuffer(f'"}}{_BEFORE_ID}'.encode().ljust(2 * WORD, b"\0"), "<u8")
_BETWEEN_WORDS: Final = len(_BETWEEN)
_BETWEEN_MASK: Final = np.uint64(0xFFFF)
_TEMPLATE = _words([*_AFTER_ID.encode()], _MOST_ROWS)
_TOLERANCE = _words([0x76 if letter == "0" else 0x7F for letter in _AFTER_ID], _MOST_ROWS)
_CHECKED = _words([0x80] * len(_AFTER_ID), _MOST_ROWS)
# A word in which only the byte `n` is 1, times this, has `n` as its last byte.
_PLACE_IN_WORD: Final = np.uint64(0x0001020304050607)
