"""Texts in the order of their bytes, one behind the other, found by bisection."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

NOT_FOUND = -1
# A record may hold half of a pair of surrogates.
_SURROGATES = "surrogatepass"


class Slices:
    """Pieces of bytes of different length, which follow each other; `ends` are the places behind each, as "I"."""

    def __init__(self, octets: memoryview, ends: memoryview) -> None:
        self._octets = octets
        self._ends = ends.cast("I")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> bytes:
        ends = self._ends
        return bytes(self._octets[ends[place - 1] if place else 0 : ends[place]])


class SortedTexts:
    """Finds the place of a text."""

    def __init__(self, octets: memoryview, ends: memoryview) -> None:
        self._texts = Slices(octets, ends)

    def text(self, place: int) -> str:
        """Return the text at a place."""
        return self._texts[place].decode("utf-8", _SURROGATES)

    def find(self, text: str) -> int:
        """Return the place of a text, or `NOT_FOUND`."""
        wanted = _encode(text)
        place = bisect_left(self._texts, wanted)
        return place if place < len(self._texts) and self._texts[place] == wanted else NOT_FOUND


def join_texts(texts: Iterable[str]) -> tuple[bytes, bytes]:
    """Return sorted texts as `SortedTexts` reads them; Python sorts texts as it sorts their bytes."""
    return join(map(_encode, texts))


def join(pieces: Iterable[bytes]) -> tuple[bytes, bytes]:
    """Return pieces one behind the other, and the places behind each, as `Slices` reads them."""
    listed = list(pieces)
    return b"".join(listed), array("I", accumulate(map(len, listed))).tobytes()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", _SURROGATES)
