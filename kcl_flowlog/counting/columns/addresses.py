"""IPv4 addresses, converted as `inet_pton` converts them: four numbers to 255 without leading zeros.

There are 81 ways to write four numbers of one to three digits. Which way a text may be shows in its bytes that are no
digits; a table has the rest for each: what each byte must be, and what its digit is worth.
"""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Words

WORDS: Final = 2
"""The words of the longest address, with the space before it."""
_SIZE: Final = WORD * WORDS
_ABOVE_255: Final = 0xFF00FF00FF00FF00
# The dot is the largest byte of a text that is no digit.
_DOT: Final = 46
_NO_WAY: Final = 3**4


def _ways() -> list[bytes]:
    """Return each way as a text in which zeros stand for digits, with the space and filled up."""
    made = (".".join("0" * width for width in widths) for widths in product((1, 2, 3), repeat=4))
    return [f" {text}".encode().rjust(_SIZE, b"\0") for text in made]


def _words(rows: list[bytes], no_way: int) -> Words:
    """Return rows of bytes as words, and behind them a row for texts that are no address."""
    return np.frombuffer(b"".join([*rows, bytes([no_way] * _SIZE)]), "<u8").reshape(-1, WORDS)


def _leading(way: bytes) -> bytes:
    """Return where a number of several digits begins."""
    return bytes(
        0x80 if way[place - 1 : place] in (b" ", b".") and way[place : place + 2] == b"00" else 0
        for place in range(_SIZE)
    )


def _worth(way: bytes) -> list[int]:
    """Return what the digit at each place is worth, if each number has sixteen bits."""
    found = [0] * _SIZE
    number, digits = 0, 0
    for place in range(_SIZE - 1, -1, -1):
        if way[place : place + 1] == b"0":
            found[place] = 10**digits << 16 * number
            digits += 1
        elif way[place : place + 1] == b".":
            number, digits = number + 1, 0
    return found


def _way_of_places(ways: list[bytes]) -> NDArray[np.uint8]:
    """Return the number of each way by the places of its bytes that are no digits, as bits."""
    found = np.full(1 << _SIZE, _NO_WAY, np.uint8)
    for number, way in enumerate(ways):
        found[sum(1 << place for place, byte in enumerate(way) if byte <= _DOT)] = number
    return found


_WAYS = _ways()
_WAY_OF_PLACES = _way_of_places(_WAYS)
# A byte of a text differs from the template by its digit. One that must not differ, or is no digit, gets its highest
# bit set by the tolerance.
_TEMPLATES = _words(_WAYS, 0xFF)
_TOLERANCES = _words([way.translate(bytes.maketrans(b"0. ", b"\x76\x7f\x7f")) for way in _WAYS], 0)
_CHECKED = _words([way.translate(bytes.maketrans(b"0. ", b"\x80\x80\x80")) for way in _WAYS], 0x80)
_LEADING = _words([_leading(way) for way in _WAYS], 0)
_TO_HIGH_BIT: Final = 0x7F7F7F7F7F7F7F7F
_WORTH: Integers = np.array([*map(_worth, _WAYS), [0] * _SIZE], np.int64)


def ipv4(low: Words, high: Words) -> tuple[Integers, Flags]:
    """Return addresses by their last two words, and whether each is one.

    The space before an address is part of the words, and zeros in front of it.
    """
    texts = np.stack((high, low), 1)
    places = np.packbits(texts.view(np.uint8).reshape(-1, _SIZE) <= _DOT, axis=1, bitorder="little").view("<u2")[:, 0]
    ways = _WAY_OF_PLACES.take(places)
    digits = texts ^ _TEMPLATES.take(ways, axis=0)
    wrong = (digits + _TOLERANCES.take(ways, axis=0)) & _CHECKED.take(ways, axis=0)
    leading = _LEADING.take(ways, axis=0)
    wrong |= ((digits + _TO_HIGH_BIT) & leading) ^ leading
    numbers = np.einsum(
        "ij,ij->i", digits.view(np.uint8).reshape(-1, _SIZE).astype(np.int64), _WORTH.take(ways, axis=0)
    )
    are_valid = (wrong[:, 0] | wrong[:, 1] | (numbers.view(np.uint64) & _ABOVE_255)) == 0
    return numbers.view(np.uint16).astype(np.uint8).view("<u4").astype(np.int64), are_valid
