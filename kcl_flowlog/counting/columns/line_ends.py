"""The fields that end a line of the default format, which take the same number of bytes in nearly every line.

Two times of ten digits, ACCEPT or REJECT, and OK: they are read and checked together, with `bytes` in front of them. Of
any other line, such as one without a flow or with a time in milliseconds, is only told that it is another.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from kcl_flowlog.counting.columns.digits import value_of
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.sums import ACTION_NAMES
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Lines, Words, word_of
from kcl_flowlog.counting.flow_record import ACTIONS

# Zeros stand for digits.
_TEXT: Final = b" 0000000000 0000000000 ACCEPT OK"
_LETTER: Final = _TEXT.index(b"A")
_TIMES: Final = _TEXT[:_LETTER] + b"\0"
_WORDS: Final = len(_TEXT) // WORD
_WORDS_OF_BYTES: Final = 2
_ACCEPT, _REJECT = (
    (ACTION_NAMES.index(ACTIONS[word]), np.uint64(ord(word[0])), np.uint64(word_of(f"{word} OK")))
    for word in ("ACCEPT", "REJECT")
)
_BITS_OF_LETTER: Final = np.uint64(8 * (_LETTER % WORD))
_TEN_TO_THE_EIGHT: Final = 10**WORD


def _words(letters: bytes) -> list[np.uint64]:
    """Return the words of the two times, the last first."""
    return [np.uint64(int.from_bytes(letters[place : place + WORD], "little")) for place in (16, 8, 0)]


_TEMPLATE: Final = _words(_TIMES)
# What sets the highest bit of a byte that is no digit, or not the space.
_TOLERANCES: Final = _words(_TIMES.translate(bytes.maketrans(b"0 ", b"\x76\x7f")))
_CHECKED: Final = _words(_TIMES.translate(bytes.maketrans(b"0 ", b"\x80\x80")))


class LineEnds(NamedTuple):
    """Which lines end so; their actions and the ends of their flows, and the last words of `bytes`, the last first."""

    are_usual: Flags
    actions: Integers
    times: Integers
    octets: list[Words]


def read(lines: Lines, fields: Fields) -> LineEnds | None:
    """Return how lines end, None if their format has other fields there."""
    status = fields.log_status
    if status is None or (fields.bytes, fields.start, fields.end, fields.action) != tuple(range(status - 4, status)):
        return None
    last, *times, earlier, earliest = lines.last_words(status, _WORDS + _WORDS_OF_BYTES)
    letters: Words = times[0] >> _BITS_OF_LETTER
    are_usual, actions = _actions(last, letters)
    digits = [word ^ template for word, template in zip(times, _TEMPLATE, strict=True)]
    wrong = (digits[0] + _TOLERANCES[0]) & _CHECKED[0]
    for word, tolerance, checked in zip(digits[1:], _TOLERANCES[1:], _CHECKED[1:], strict=True):
        wrong |= (word + tolerance) & checked
    are_usual &= wrong == 0
    # The end is at bytes 12 to 21: its last eight digits are in both words.
    last_digits: Words = (digits[0] << np.uint64(16)) | (digits[1] >> np.uint64(48))
    found = value_of(last_digits)
    found += ((((digits[1] >> 32) * 0xA01) >> 8) & 0xFF).view(np.int64) * _TEN_TO_THE_EIGHT
    are_usual &= found > 0
    return LineEnds(are_usual, actions, found, [earlier, earliest])


def _actions(last: Words, letters: Words) -> tuple[Flags, Integers]:
    """Return which lines end with an action and OK, and the actions, by the last word and the letter before it."""
    number, letter, text = _ACCEPT
    are_usual = (last == text) & (letters == letter)
    found = np.full(len(last), number)
    rest = np.flatnonzero(~are_usual)
    number, letter, text = _REJECT
    rejected = rest[(last[rest] == text) & (letters[rest] == letter)]
    found[rejected] = number
    are_usual[rejected] = True
    return are_usual, found
