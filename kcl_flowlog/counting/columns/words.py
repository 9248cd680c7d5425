"""Fields of few values, told by their letters: log status, action, direction, protocol."""

from __future__ import annotations

from typing import Final

import numpy as np

from kcl_flowlog.counting.columns.sums import ACTION_NAMES, PROTOCOL_LABELS, WAYS
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Lines, Octets, Words, mask_of, word_of
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.flow_record import ACTIONS, OTHER_PROTOCOL, PROTOCOL_NAMES
from kcl_flowlog.counting.known_interface import EGRESS, UNKNOWN
from kcl_flowlog.counting.paths import path_of

_SPACE, _ZERO = 32, 48
UNDECIDED: Final = -1


def is_word(lines: Lines, field: int, word: str) -> Flags:
    """Tell in which lines a field is a word of at most eight letters."""
    words = lines.words_before(lines.ends(field))
    if len(word) < WORD:
        return is_text(words, " " + word)
    found: Flags = is_text(words, word) & (lines.widths(field) == WORD)
    return found


def is_text(words: Words, text: str) -> Flags:
    """Tell which words end with a text of at most eight characters."""
    found: Flags = words & np.uint64(mask_of(len(text))) == np.uint64(word_of(text))
    return found


def which(lines: Lines, field: int, choices: dict[str, int], otherwise: int = UNDECIDED) -> Integers:
    """Return the number of the word that a field holds, of words of at most seven letters."""
    words = lines.words_before(lines.ends(field))
    (first, first_number), *further = choices.items()
    is_first = is_text(words, " " + first)
    found: Integers = np.where(is_first, first_number, otherwise)
    rest = np.flatnonzero(~is_first)
    if len(rest):
        words = words[rest]
        for word, number in further:
            found[rest[is_text(words, " " + word)]] = number
    return found


ACTION_NUMBERS: Final = {word: ACTION_NAMES.index(name) for word, name in ACTIONS.items()}
# Each value of `traffic-path`, and any other.
WAY_NUMBERS: Final = {
    **{str(number): WAYS.index((EGRESS, path_of(str(number)))) for number in range(1, 9)},
    NO_VALUE: WAYS.index((EGRESS, UNKNOWN)),
}
OTHER_WAY: Final = WAYS.index((EGRESS, path_of("")))
UNKNOWN_WAY: Final = WAY_NUMBERS[NO_VALUE]
DIRECTION_NUMBERS: Final = {"ingress": 0, "egress": 1, "-": 2}


def _protocol_labels() -> Integers:
    labels = np.full(1000, UNDECIDED, np.int64)
    for number in range(256):
        labels[number] = PROTOCOL_LABELS.index(PROTOCOL_NAMES.get(number, OTHER_PROTOCOL))
    return labels


_LABELS = _protocol_labels()
_LABELS_OF_DIGITS: Integers = np.full(256, UNDECIDED, np.int64)
_LABELS_OF_DIGITS[_ZERO : _ZERO + 10] = _LABELS[:10]


def protocols(lines: Lines, field: int) -> Integers:
    """Return the labels of protocol numbers, `UNDECIDED` if a field is no such number as AWS writes it."""
    ends = lines.ends(field)
    found: Integers = _LABELS_OF_DIGITS.take(lines.octets.take(ends - 1))
    # Mostly TCP, a single digit.
    longer = np.flatnonzero(lines.octets.take(ends - 2) != _SPACE)
    if len(longer):
        found[longer] = _long_protocols(lines.octets, ends[longer], lines.widths(field)[longer])
    return found


def _long_protocols(octets: Octets, ends: Integers, widths: Integers) -> Integers:
    ones, tens, hundreds = (octets.take(ends - place) - np.uint8(_ZERO) for place in (1, 2, 3))
    has_hundreds = widths == 3
    leading = np.where(has_hundreds, hundreds, tens)
    are_numbers = (ones <= 9) & (tens <= 9) & (leading > 0) & (leading <= 9) & (has_hundreds | (widths == 2))
    numbers = ones.astype(np.int64) + tens * np.int64(10) + np.where(has_hundreds, hundreds, 0) * np.int64(100)
    return np.where(are_numbers, _LABELS.take(numbers, mode="clip"), UNDECIDED)
