"""The lines in the JSON of log events, found without decoding it.

Takes only what CloudWatch Logs writes: `{"id":"…","timestamp":1700000000000,"message":"…"}`, one event after the other,
without spaces, escapes or letters beyond ASCII. Every byte of it is checked, so it is certain that decoding would give
the same lines. Any other JSON is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

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
    word_of,
)

_QUOTE, _COMMA, _BRACE, _END = 34, 44, 123, 125
_ZERO = 48
# Quotes of an event; all but the last come before the first space.
_QUOTES: Final = 10
_BEFORE = _QUOTES - 1
# The quotes in front of id and message, and the quote behind the id.
_ID, _ID_END, _MESSAGE = 2, 3, 8
# What follows the id: zeros stand for digits, and after it comes the first letter of the message.
_AFTER_ID: Final = '","timestamp":0000000000000,"message":"'
_FIRST_DIGIT: Final = _AFTER_ID.index("0")
# The shortest event has more bytes.
_LEAST_BYTES = 66
# So many events are checked at a time.
_MOST_ROWS = 1024
# The bytes of buffers: at first, and those that are kept.
_LEAST_KEPT = 1024 * 1024
_MOST_KEPT = 2 * 1024 * 1024


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
        return self._begins[-1] - PADDING

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
        self._begins = [PADDING]

    def find_lines(self, field_count: int) -> JsonLines | None:
        """Return the lines of events whose messages have this number of words, None if there is anything else."""
        size = self._begins[-1] - 1
        text = Text(self._text[:size])
        octets = text.octets
        are_separators = np.less_equal(octets, _QUOTE, out=self._separators[:size])
        columns = field_count + _BEFORE
        count, rest = divmod(int(np.count_nonzero(are_separators)), columns)
        if rest or not count or count * _LEAST_BYTES > size:
            return None
        places = self._places(size, count * columns).reshape(count, columns)
        id_start, id_end, last = (np.ascontiguousarray(places[:, column]) for column in (_ID, _ID_END, -1))
        others = self._others[:size]
        is_plain = (
            not np.logical_and(are_separators[1:], are_separators[:-1], out=others[1:]).any()
            and int(np.count_nonzero(np.equal(octets, _QUOTE, out=others))) == count * _QUOTES
            and int(np.count_nonzero(np.equal(octets, SPACE, out=others))) == count * (field_count - 1)
            and _are_events(text, id_start, id_end, last)
        )
        if not is_plain:
            return None
        counts = np.diff(np.searchsorted(id_start, self._begins))
        return JsonLines(Lines(text, places[:, _MESSAGE:]), counts.tolist(), (id_start, id_end), text.data)

    def _places(self, size: int, count: int) -> Integers:
        """Return the places of the separators."""
        # numpy takes three times as long if less than a tenth is true; so some true values are added.
        end = size + max(0, (size - 10 * count) // 9 + 1)
        self._separators[size:end] = True
        return self._separators[:end].nonzero()[0][:count]

    def _allocate(self, size: int) -> None:
        octets: Octets = np.empty(size, np.uint8)
        octets[:PADDING] = _ZERO
        self._text = octets.data
        self._others: Flags = np.empty(size, np.bool_)
        self._separators: Flags = np.empty(size + size // 9 + 1, np.bool_)


def _are_events(text: Text, id_start: Integers, id_end: Integers, last: Integers) -> bool:
    """Tell whether the text around ids and messages is that of events, one after the other from begin to end."""
    octets = text.octets
    message = id_end + _MESSAGE_AFTER_ID
    is_whole = (
        int(id_start[0]) == PADDING + 6
        and int(last[-1]) + 2 == len(octets)
        and int(message[-1]) < len(octets)
        and bool((id_start[1:] - last[:-1] == 9).all())
        and int((last - message).max()) <= MAX_LENGTH + 1
    )
    if not is_whole:
        return False
    return (
        all(_are_middles(text, id_end[row : row + _MOST_ROWS]) for row in range(0, len(id_end), _MOST_ROWS))
        and bool((text.words(id_start - 7, 1) == _BEGIN).all())
        and bool((octets.take(id_end + _FIRST_DIGIT) != _ZERO).all())
        and bool((octets.take(last) == _QUOTE).all())
        and bool((octets.take(last + 1) == _END).all())
        and not bool((octets.take(message + 1) == _BRACE).any())
    )


def _are_middles(text: Text, id_end: Integers) -> bool:
    """Tell whether `_AFTER_ID` follows each id."""
    after = text.words(id_end, _AFTER_WORDS)
    # A byte that differs where it must not, or is no digit where it must be, sets its highest bit.
    wrong = ((after ^ _TEMPLATE[: len(after)]) + _TOLERANCE[: len(after)]) & _CHECKED[: len(after)]
    return not bool(wrong.any())


_AFTER_WORDS: Final = (len(_AFTER_ID) + WORD) // WORD


def _words(values: Sequence[int], rows: int) -> Words:
    """Return bytes as words, for each of many rows."""
    padded = [*values, *[0] * (_AFTER_WORDS * WORD - len(values))]
    return np.tile(np.array(padded, np.uint8).view("<u8"), rows)


_BEGIN: Final = np.uint64(word_of(',{"id":"'))
_TEMPLATE = _words([*_AFTER_ID.encode()], _MOST_ROWS)
_TOLERANCE = _words([0x76 if letter == "0" else 0x7F for letter in _AFTER_ID], _MOST_ROWS)
_CHECKED = _words([0x80] * len(_AFTER_ID), _MOST_ROWS)
_MESSAGE_AFTER_ID = len(_AFTER_ID) - 1
