"""Names as columns: addresses, ports and pairs of addresses, each as words of eight bytes, and their hashes.

A name is right-aligned and filled up with zero bytes, so that it reads the same from columns of text, where a field is
found by its end, and from a single text. Words stand last first. The hash of a name does not depend on the number of
words it has. Hashes are part of the distinct counts that are stored and merged: they must never change.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import lru_cache
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]
Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.bytes_]

WORD = 8
_LINE_FEED = 10
SHORT, LONG = 2, 5
"""The words of an address of up to 16 characters, which every IPv4 address is, and of any address."""
# Odd numbers without a pattern; the last is that of the last word.
_FACTORS: Words = np.array(
    (
        *(0x9FB21C651E98DF25, 0xEB44ACCAB455D165, 0x1D8E4E27C47D124F, 0x589965CC75374CC3, 0x8EBC6AF09C88C6E3),
        *(0xE7037ED1A0B428DB, 0xA0761D6478BD642F, 0xD6E8FEB86659FD93, 0x165667B19E3779F9, 0xC2B2AE3D27D4EB4F),
        0x9E3779B97F4A7C15,
    ),
    np.uint64,
)
MOST_WORDS = len(_FACTORS)
"""Of a pair of IPv6 addresses."""
_MIX = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
_SPACE: Words = np.array([0x20 << 56], np.uint64)
_NOTHING = np.uint64(0)
_BITS, _DIGITS = 16, 4
_ZERO = np.uint64(0x30 << 56)
_SIXES, _UPPER_HALVES = (np.uint64(0x0101010101010101 * byte) for byte in (0x06, 0xF0))
_LONGEST_PORT = 5
# By the width of a field, what all upper halves of a port are; nothing else has the first or the last.
_DIGITS_OF_PORTS: Words = np.array(
    [
        2**64 - 1,
        *(0x3030303030303030 >> 64 - 8 * width << 64 - 8 * width for width in range(1, _LONGEST_PORT + 1)),
        2**64 - 1,
    ],
    np.uint64,
)
# By the width of a field, the part of each of its words that belongs to it, the last word first.
_MASKS: list[Words] = [
    np.array([2**64 - (1 << 64 - 8 * min(WORD, max(0, width - start))) for width in range(WORD * LONG + 1)], np.uint64)
    for start in range(0, WORD * LONG, WORD)
]


def hash_of(words: Sequence[Words]) -> Words:
    """Return the hash of each name, of up to eleven words."""
    return hashes_of(np.stack(words[::-1], 1))


def hashes_of(matrix: Words) -> Words:
    """Return the hash of each name, given the words row by row, the first word first."""
    return mixed(matrix @ _FACTORS[MOST_WORDS - matrix.shape[1] :])


def mixed(numbers: Words) -> Words:
    """Return numbers of which each bit depends on all bits of the given numbers."""
    found = numbers ^ (numbers >> np.uint64(33))
    found *= np.uint64(_MIX[0])
    found ^= found >> np.uint64(29)
    found *= np.uint64(_MIX[1])
    found ^= found >> np.uint64(32)
    return found


def in_order(groups: Integers, numbers: Words, digits: int = _DIGITS) -> Integers:
    """Return the places of numbers by their group, then by their highest digits of 16 bits; else as they are.

    Digit by digit numpy sorts by radix, which takes a third of the time.
    """
    keys = [(numbers >> np.uint64(_BITS * digit)).astype(np.uint16) for digit in range(_DIGITS - digits, _DIGITS)]
    keys.append(groups.astype(np.uint16))
    if int(groups.max(initial=0)) >> _BITS:
        keys.append((groups >> _BITS).astype(np.uint16))
    return np.lexsort(keys)


def starts_of(column: Integers | Words, are_next: Flags | None = None) -> Integers:
    """Return where each number of a column begins, and each row but the first of which `are_next` says so."""
    are_first = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=are_first[1:])
    if are_next is not None:
        are_first[1:] |= are_next
    return np.flatnonzero(are_first)


def lengths_of(starts: Integers, end: int) -> Integers:
    """Return how many rows there are from each start to the next, or to the end; far faster than `np.diff`."""
    lengths = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=lengths[:-1])
    lengths[-1:] = end - starts[-1:]
    return lengths


def cut(tails: Sequence[Words], widths: Integers) -> list[Words]:
    """Return the words of fields, given their last words, which may begin before them, and their widths."""
    return [tail & masks.take(widths, mode="clip") for tail, masks in zip(tails, _MASKS, strict=False)]


def are_ports(numbers: Words, widths: Integers) -> Flags:
    """Tell which are ports, given the last word of each field, cut, and its width: decimal, and not 0."""
    # A digit, and no other letter, has a 3 as its upper half, also once 6 is added.
    threes = _DIGITS_OF_PORTS.take(widths, mode="clip")
    differences = ((numbers ^ threes) | ((numbers + _SIXES) ^ threes)) & _UPPER_HALVES
    found: Flags = (differences == 0) & (numbers != _ZERO)
    return found


def named(words: Sequence[Sequence[Words]], counts: Sequence[int]) -> tuple[Texts, Words]:
    """Return names of several kinds as one column, and their hashes; of each kind, given its words and its number."""
    size = max(map(len, words))
    matrix = np.zeros((sum(counts), size), np.uint64)
    end = 0
    for some, count in zip(words, counts, strict=True):
        start, end = end, end + count
        for place, word in enumerate(some, 1):
            matrix[start:end, size - place] = word
    return texts_of(matrix), hashes_of(matrix)


def texts_of(matrix: Words) -> Texts:
    """Return names as one column, given their words row by row, the first word first."""
    count, size = matrix.shape
    return matrix.view(f"S{WORD * size}").reshape(count)


def matrix_of(names: Texts) -> Words:
    """Return what `texts_of` was given."""
    return names.view("<u8").reshape(len(names), names.dtype.itemsize // WORD)


def taken(names: Texts, rows: Integers) -> Texts:
    """Return some of the names, in half the time that `names[rows]` takes."""
    return names.take(rows, mode="clip")


def stacked(several: Sequence[Texts]) -> Texts:
    """Return several columns of names as one."""
    if len({names.dtype for names in several}) == 1:
        return np.concatenate(several)
    size = max(names.dtype.itemsize // WORD for names in several)
    matrix = np.zeros((sum(map(len, several)), size), np.uint64)
    end = 0
    for names in several:
        start, end = end, end + len(names)
        matrix[start:end, size - names.dtype.itemsize // WORD :] = matrix_of(names)
    return texts_of(matrix)


def pairs(sources: Sequence[Words], destinations: Sequence[Words]) -> list[Words]:
    """Return the words of `source destination`, of short addresses the same whatever the other addresses are."""
    found = [*destinations, _SPACE, *sources]
    if len(sources) == SHORT:
        return found
    are_short = np.bitwise_or.reduce([*sources[SHORT:], *destinations[SHORT:]]) == 0
    short = pairs(sources[:SHORT], destinations[:SHORT])
    return [np.where(are_short, *each) for each in zip_longest(short, found, fillvalue=_NOTHING)]


def fields_of(*columns: Sequence[str]) -> list[tuple[list[Words], Integers]]:
    """Return columns of texts as `cut` takes them: of each the words, equally many, and the widths."""
    widths = [np.array([*map(len, texts)], np.int64) for texts in columns]
    count = SHORT if max(int(some.max(initial=0)) for some in widths) <= WORD * SHORT else LONG
    size, found = WORD * count, []
    for texts, some in zip(columns, widths, strict=True):
        # One call for all takes a third of the time of one for each.
        joined = (f"%{size}.{size}s" * len(texts) % tuple(texts)).encode("ascii", "replace")
        matrix = np.frombuffer(joined, "<u8").reshape(len(texts), count)
        found.append(([matrix[:, place] for place in range(count - 1, -1, -1)], some))
    return found


def canonical(addresses: Sequence[str]) -> Sequence[str]:
    """Return the canonical texts of addresses; an IPv4 address has no other."""
    return addresses if ":" not in "".join(addresses) else [*map(_canonical, addresses)]


@lru_cache(4096)
def _canonical(address: str) -> str:
    if ":" not in address:
        return address
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


def joined(names: Texts) -> str:
    """Return the names as lines of text."""
    size = names.dtype.itemsize
    matrix = np.full((len(names), size + 1), _LINE_FEED, np.uint8)
    matrix[:, :size] = names.view(np.uint8).reshape(len(names), size)
    # Faster than numpy finds what is not 0.
    return matrix.tobytes().translate(None, b"\0").decode("ascii", "replace")
