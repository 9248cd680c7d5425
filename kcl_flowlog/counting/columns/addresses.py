"""IPv4 addresses, converted as `inet_pton` converts them: four numbers to 255 without leading zeros."""

from __future__ import annotations

import numpy as np

from kcl_flowlog.counting.columns.text import Flags, Integers, Octets

_DOT, _SPACE, _ZERO = 46, 32, 48


def ipv4(octets: Octets, ends: Integers) -> tuple[Integers, Flags]:
    """Return the addresses that end at these places of a text, and whether each is one; they begin after a space."""
    found = np.zeros(len(ends), np.int64)
    are_valid = np.ones(len(ends), np.bool_)
    last = ends - 1
    for shift in (0, 8, 16, 24):
        # The first of the four is the last to be read.
        before = _SPACE if shift == 24 else _DOT
        ones, tens, hundreds, further = (octets.take(last - place) for place in range(4))
        is_one, is_two = tens == before, hundreds == before
        ones -= _ZERO
        tens -= _ZERO
        hundreds -= _ZERO
        ones_only, at_most_two = is_one, is_one | is_two
        has_tens, has_hundreds = ~ones_only, ~at_most_two
        leading = np.where(at_most_two, tens, hundreds)
        number = ones + (tens * has_tens).astype(np.uint16) * 10 + (hundreds * has_hundreds).astype(np.uint16) * 100
        are_valid &= (
            (ones <= 9)
            & ((ones_only) | ((tens <= 9) & (leading > 0)))
            & (at_most_two | ((hundreds <= 2) & (further == before)))
            & (number <= 255)
        )
        found |= number.astype(np.int64) << shift
        if shift < 24:
            last = last - 2 - has_tens - has_hundreds
    return found, are_valid
