"""IPv4 addresses as columns: as the C library converts them, each by itself and many together."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from kcl_flowlog.counting.columns.addresses import WORDS, ipv4
from kcl_flowlog.counting.columns.text import WORD

_NUMBERS = ("0", "9", "10", "99", "100", "199", "255", "256", "999")
_TEXTS = (
    *(".".join(numbers) for numbers in product(_NUMBERS[:-1:3], repeat=4)),
    *(".".join(each.replace("0", number) for each in "0.7.7.0") for number in _NUMBERS),
    *("00.1.1.1", "1.01.1.1", "1.1.001.1", "1.1.1.00", "1.1.1.010"),
    *("1.1.1", "1.1.1.", ".1.1.1", "1..1.1", "1.1.1.1.1", "....", "1.1.1.1111", "1111.1.1.1", "255.255.255.2555"),
    *("1.1.1.x", "x.1.1.1", "1.1:1.1", "1/1.1.1", "1.1.1.+1", "-", "1", "1.1.1.a1", "~.1.1.1", "::", "::1.1.1.1"),
)


def _converted(texts: Sequence[str]) -> list[int | None]:
    rows = b"".join(f" {text}".encode()[-WORD * WORDS :].rjust(WORD * WORDS, b"\0") for text in texts)
    words = np.frombuffer(rows, "<u8").reshape(-1, WORDS)
    found, are_valid = ipv4(words[:, 1].copy(), words[:, 0].copy())
    return [number if is_valid else None for number, is_valid in zip(found.tolist(), are_valid.tolist(), strict=True)]


def _as_the_c_library_does(text: str) -> int | None:
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, text))
    except OSError:
        return None


def test_all_together() -> None:
    """Nothing of an address is left over for the next."""
    assert [_as_the_c_library_does(text) for text in _TEXTS] == _converted(_TEXTS)


@pytest.mark.parametrize("widths", [*product((1, 2, 3), repeat=2)])
def test_every_way_to_write_four_numbers(widths: tuple[int, int]) -> None:
    """Of one to three digits each."""
    texts = [".".join("123"[:width] for width in (*widths, *others)) for others in product((1, 2, 3), repeat=2)]

    assert [_as_the_c_library_does(text) for text in texts] == _converted(texts)
    assert None not in _converted(texts)
