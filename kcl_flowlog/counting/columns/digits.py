"""Decimal numbers, converted eight digits at a time.

Source of the arithmetic: Daniel Lemire, "Quickly parsing eight digits".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Lines, Words, mask_of

_ZEROS: Final = np.uint64(0x3030303030303030)
_TO_HIGH_BIT: Final = 0x7676767676767676
_HIGH_BITS: Final = 0x8080808080808080
_LOW_BYTES: Final = 0x000000FF000000FF
_FIRST_TWO_HIGH_BITS: Final = 0x8080000000000000
_DIGIT: Final = 0xFF
_DIGITS_OF_TIME: Final = 10
_MASKS: Words = np.array([mask_of(length) for length in range(WORD + 1)], np.uint64)
_TEN_TO_THE_EIGHT: Final = 10**WORD


def numbers(lines: Lines, field: int, max_digits: int, tails: Sequence[Words] | None = None) -> tuple[Integers, Flags]:
    """Return a field as numbers, and whether each is a number of at most `max_digits` digits; 16 at most.

    `tails` are its last two words, as of `Lines.tails`, if somebody has them.
    """
    widths = lines.widths(field)
    is_long = int(widths.max()) > WORD
    if tails is None:
        tails = lines.tails(lines.ends(field), 2 if is_long else 1)
    low = (tails[0] ^ _ZEROS) & _MASKS.take(widths, mode="clip")
    wrong = (low + _TO_HIGH_BIT) & _HIGH_BITS
    found = value_of(low)
    if is_long:
        # Only few numbers are.
        rows = np.flatnonzero(widths > WORD)
        high = (tails[1][rows] ^ _ZEROS) & _MASKS.take(widths[rows] - WORD, mode="clip")
        wrong[rows] |= (high + _TO_HIGH_BIT) & _HIGH_BITS
        found[rows] += value_of(high) * _TEN_TO_THE_EIGHT
    return found, (wrong == 0) & (widths <= max_digits)


def times(lines: Lines, field: int) -> tuple[Integers, Flags]:
    """Return a field as numbers of ten digits, and whether each is one."""
    low, high, are_times = _time_digits(lines, field)
    return _time(low, high), are_times


def are_times(lines: Lines, field: int) -> Flags:
    """Tell whether a field is a number of ten digits."""
    return _time_digits(lines, field)[2]


def _time_digits(lines: Lines, field: int) -> tuple[Words, Words, Flags]:
    """Return the words of the digits of a field, and whether it has ten digits."""
    tails = lines.tails(lines.ends(field), 2)
    low, high = tails[0] ^ _ZEROS, tails[1] ^ _ZEROS
    wrong = ((low + _TO_HIGH_BIT) & _HIGH_BITS) | ((high + _TO_HIGH_BIT) & _FIRST_TWO_HIGH_BITS)
    return low, high, (wrong == 0) & (lines.widths(field) == _DIGITS_OF_TIME)


def _time(low: Words, high: Words) -> Integers:
    """Return the number of ten digits of which these words hold the last eight, and behind others the first two."""
    value = value_of(low)
    value += ((high >> 48) & _DIGIT).view(np.int64) * (10 * _TEN_TO_THE_EIGHT)
    value += (high >> 56).view(np.int64) * _TEN_TO_THE_EIGHT
    return value


def value_of(digits: Words) -> Integers:
    """Return words as numbers, whose bytes are the values of eight digits."""
    pairs = digits * 10 + (digits >> 8)
    value = ((pairs & _LOW_BYTES) * 0x000F424000000064 + ((pairs >> 16) & _LOW_BYTES) * 0x0000271000000001) >> 32
    return value.view(np.int64)
