"""A note of the record that a shard's processor is counting, which outlives the process.

If a processor is killed, the next processor of the shard on this instance
finds the record in hand as `suspect`. Writing a note is a copy into shared
memory, so it is cheap; it survives the process, but not the machine. An
invalid file is begun anew.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from kcl_flowlog.counting.positions import Position

_FLAG = 255
_SIZE = 256


class RecordInHand:
    """The note of one shard, in the file at `path`. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # On a full disk this raises; writing to a page without a block would kill the process with SIGBUS.
            os.posix_fallocate(descriptor, 0, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)

    @property
    def suspect(self) -> Position | None:
        """The record in hand, or None; before `begin`, the record that the last processor died of."""
        if self._map[_FLAG] != 1:
            return None
        sequence, _, sub_sequence = self._map[:_FLAG].decode(errors="replace").strip(" \0").partition(" ")
        return Position(sequence, int(sub_sequence)) if sub_sequence.isdecimal() else None

    def begin(self, position: Position) -> None:
        """Note that this record is in hand."""
        self._map[:_FLAG] = f"{position.sequence} {position.sub_sequence}".encode()[:_FLAG].ljust(_FLAG)
        self._map[_FLAG] = 1

    def end(self) -> None:
        """Note that no record is in hand: it was counted, or the death of its processor was reported."""
        self._map[_FLAG] = 0

    def forget(self) -> None:
        """Remove the note: another owner has the shard, or it has ended."""
        self._path.unlink(missing_ok=True)
