"""The content of a file, decompressed if necessary, with a look at its beginning.

Reads on demand. Holds the first bytes of the file, at most a payload's size.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from kcl_flowlog.counting.unpacking import GZIP_MAGIC, LARGEST_RECORD

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 64 * 1024
_MAX_LINE_BYTES = 1024 * 1024


class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none only at the end."""


class Content(NamedTuple):
    """The decompressed content of a file.

    `head` is its beginning, `text` all of it. `raw` is the file as it is, or None if it is too large for a payload.
    """

    head: bytes
    text: io.BufferedReader
    raw: bytes | None
    is_gzip: bool


def open_content(file: Readable) -> Content:
    """Read the beginning of a file. Damaged gzip data raises `EOFError`, `zlib.error` or `gzip.BadGzipFile`."""
    start = file.read(LARGEST_RECORD + 1).removeprefix(_BYTE_ORDER_MARK)
    raw = start if len(start) <= LARGEST_RECORD else None
    is_gzip = start.startswith(GZIP_MAGIC)
    whole = put_back(start, file)
    text: Readable = gzip.GzipFile(fileobj=whole) if is_gzip else whole
    head = text.read(_HEAD_BYTES)
    return Content(head, put_back(head, text), raw, is_gzip)


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


def lines(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield the lines that are not empty, stripped. A line over 1 MB, too long for a log event, is cut off."""
    while line := file.readline(_MAX_LINE_BYTES):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == _MAX_LINE_BYTES:
            rest = file.readline(_MAX_LINE_BYTES)
        if line := line.strip():
            yield line
