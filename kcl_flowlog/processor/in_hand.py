"""Which record a shard's processor is counting, written where its death can't take it along.

A processor that is killed leaves the position of the record in hand: the next
one here finds it as `suspect`. Noting a position is a copy into shared memory,
so it costs next to nothing, and it outlives the process, but not the machine. A
file that can't be understood is begun anew.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from kcl_flowlog.counting.positions import Position

_FLAG = 255
_SIZE = 256


class RecordInHand:
    """The notes of one shard in the file at `path`, by whoever processes it. Raises `OSError`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._path = path
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # On a full disk this says so; a page that has no block yet would kill whoever writes to it.
            os.posix_fallocate(descriptor, 0, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)

    @property
    def suspect(self) -> Position | None:
        """The record in hand, None where there is none: before the first `begin`, what the last processor died of."""
        if self._map[_FLAG] != 1:
            return None
        sequence, _, sub_sequence = self._map[:_FLAG].decode(errors="replace").strip(" \0").partition(" ")
        return Position(sequence, int(sub_sequence)) if sub_sequence.isdecimal() else None

    def begin(self, position: Position) -> None:
        """Note that this record is in hand."""
        self._map[:_FLAG] = f"{position.sequence} {position.sub_sequence}".encode()[:_FLAG].ljust(_FLAG)
        self._map[_FLAG] = 1

    def end(self) -> None:
        """Note that none is in hand: it was survived, or its death has been told."""
        self._map[_FLAG] = 0

    def forget(self) -> None:
        """Remove the notes: the shard is someone else's, or has ended."""
        self._path.unlink(missing_ok=True)
