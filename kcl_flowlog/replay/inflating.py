"""A file compressed with gzip, read as far as it can be read.

`gzip.GzipFile` raises at the damage, and what it had read before is lost with
it. This reader ends there and says so: it never raises, but what the file
raises. Several members in a row are one text, as with `gunzip`.
"""

from __future__ import annotations

import io
from typing import Any, Protocol

from isal import isal_zlib

from kcl_flowlog.counting.unpacking import GZIP_MAGIC

_WINDOW = 16 + isal_zlib.MAX_WBITS
_INPUT_BYTES = 64 * 1024
# What an error in the middle of the data takes with it, at most.
_OUTPUT_BYTES = 16 * 1024


class Readable(Protocol):
    """A binary file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none only at the end."""


class Inflating(io.RawIOBase):
    """The text of a file; after its last byte, `is_damaged` tells whether there should have been more."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._input = b""
        self._inflater: Any = None
        self._is_finished = False
        self.is_damaged = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into the buffer. Returns the number of bytes, 0 only at the end."""
        while not self._is_finished:
            if not self._input:
                self._input = self._file.read(_INPUT_BYTES)
            is_last = not self._input
            if self._inflater is None and not self._begins_member(is_last):
                break
            text = self._inflate(min(len(buffer), _OUTPUT_BYTES))
            if text:
                buffer[: len(text)] = text
                return len(text)
            # Nothing was left within the inflater either.
            if is_last and self._inflater is not None:
                return self._finish(is_damaged=True)
        return 0

    def _begins_member(self, is_last: bool) -> bool:
        """Open the next member, or finish; zeros may follow the last."""
        while not self._input.strip(b"\0") and not is_last:
            self._input = self._file.read(_INPUT_BYTES)
            is_last = not self._input
        self._input = self._input.lstrip(b"\0")
        if not self._input.startswith(GZIP_MAGIC[:1]):
            self._finish(is_damaged=bool(self._input))
            return False
        self._inflater = isal_zlib.decompressobj(_WINDOW)
        return True

    def _inflate(self, size: int) -> bytes:
        try:
            text: bytes = self._inflater.decompress(self._input, size)
        except isal_zlib.IsalError:  # type: ignore[misc] # its stub calls the class a value
            self._finish(is_damaged=True)
            return b""
        self._input = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        if self._inflater.eof:
            self._inflater = None
        return text

    def _finish(self, is_damaged: bool) -> int:
        self._is_finished = True
        self.is_damaged = is_damaged
        return 0
