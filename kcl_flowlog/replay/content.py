"""The content of a file, decompressed if necessary, with a look at its beginning.

Reads on demand. Holds the first bytes of the file, at most a payload's size.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kcl_flowlog.counting.unpacking import GZIP_MAGIC, LARGEST_RECORD
from kcl_flowlog.replay.inflating import Inflating, Readable

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 64 * 1024
_MAX_LINE_BYTES = 1024 * 1024
_STEP_BYTES = 256 * 1024


class Content(NamedTuple):
    """The decompressed content of a file.

    `head` is its beginning, `text` all of it. `raw` is the file as it is, or None if it is too large for a payload.
    """

    head: bytes
    text: io.BufferedReader
    raw: bytes | None
    inflating: Inflating | None = None

    @property
    def is_gzip(self) -> bool:
        """Whether the file is compressed."""
        return self.inflating is not None

    @property
    def is_damaged(self) -> bool:
        """Whether the compressed data is cut short or damaged; this is known once `text` was read to its end."""
        return self.inflating is not None and self.inflating.is_damaged


class Metered:
    """A file that tells `advance` how much was read, each time that it has read a little, however much is wanted."""

    def __init__(self, file: Readable, advance: Callable[[int], object]) -> None:
        self._file = file
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none only at the end."""
        pieces = []
        while size > 0 and (piece := self._file.read(min(size, _STEP_BYTES))):
            self._advance(len(piece))
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def open_content(file: Readable) -> Content:
    """Read the beginning of a file."""
    start = file.read(LARGEST_RECORD + 1).removeprefix(_BYTE_ORDER_MARK)
    raw = start if len(start) <= LARGEST_RECORD else None
    whole = put_back(start, file)
    inflating = Inflating(whole) if start.startswith(GZIP_MAGIC) else None
    text = whole if inflating is None else io.BufferedReader(inflating)
    head = text.read(_HEAD_BYTES)
    return Content(head, put_back(head, text), raw, inflating)


def put_back(start: bytes, rest: Readable) -> io.BufferedReader:
    """Return a file that begins with bytes that were read already."""
    return io.BufferedReader(_Rejoined(start, rest))


class _Rejoined(io.RawIOBase):
    def __init__(self, start: bytes, rest: Readable) -> None:
        self._start = io.BytesIO(start)
        self._rest = rest

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into the buffer. Returns the number of bytes, 0 only at the end."""
        data = self._start.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def numbered_lines(content: Content) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, stripped, each with its number.

    A line over 1 MB, too long for a log event, is cut off. The half line before damaged data is left out: a number at
    its end would be another number.
    """
    number = 0
    while line := content.text.readline(_MAX_LINE_BYTES):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and len(rest) == _MAX_LINE_BYTES:
            rest = content.text.readline(_MAX_LINE_BYTES)
        if not rest.endswith(b"\n") and content.is_damaged:
            return
        if line := line.strip():
            yield number, line
