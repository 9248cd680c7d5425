"""Which record a shard's processor is counting, written where its death can't take it along.

A processor that is killed leaves the position of the record in hand. When the
same record was in hand at several deaths in a row, it is taken for what kills:
`is_poison`. Noting a position is a copy into shared memory, so it costs next to
nothing, and it outlives the process, but not the machine. A file that can't be
understood is begun anew.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from kcl_flowlog.positions import Position

DEATHS = 3
"""How many deaths in a row, with the same record in hand, make it poison."""

_SLOT = 256
_SIZE = 2 * _SLOT + 2
_FLAG, _COUNT = 2 * _SLOT, 2 * _SLOT + 1


class Attempts:
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
        self.deaths = self._map[_COUNT]
        self.suspect = self._read(_SLOT)
        if self._map[_FLAG]:
            in_hand = self._read(0)
            self.deaths = self.deaths + 1 if in_hand == self.suspect else 1
            self.suspect = in_hand
            self._map[_SLOT : 2 * _SLOT] = self._map[:_SLOT]
            self._map[_COUNT] = min(self.deaths, 255)
            self._map[_FLAG] = 0

    def is_poison(self, position: Position) -> bool:
        """Say whether this record was in hand at too many deaths."""
        return self.deaths >= DEATHS and position == self.suspect

    def begin(self, position: Position) -> None:
        """Note that this record is in hand."""
        self._map[:_SLOT] = f"{position.sequence} {position.sub_sequence}".encode()[:_SLOT].ljust(_SLOT)
        self._map[_FLAG] = 1

    def end(self, position: Position) -> None:
        """Note that this record was survived, and none is in hand."""
        self._map[_FLAG] = 0
        if self.deaths and position == self.suspect:
            self.deaths = self._map[_COUNT] = 0

    def forget(self) -> None:
        """Remove the notes: the shard is someone else's, or has ended."""
        self._path.unlink(missing_ok=True)

    def _read(self, start: int) -> Position | None:
        sequence, _, sub_sequence = (
            self._map[start : start + _SLOT].decode(errors="replace").strip(" \0").partition(" ")
        )
        return Position(sequence, int(sub_sequence)) if sub_sequence.isdecimal() else None
