"""What is in a file, in a form that shows every change of it.

Compares contents, because two writes in a row can leave time and size alone.
Once a file has kept its time, size and inode for longer than the coarsest
file system counts time, they are enough. Knows nothing of what the files mean.
A file that can't be read has a state, too: it equals the state of an empty
file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"

SURE_AFTER = 3.0
"""After how many seconds a write shows in the times of a file: the coarsest file system counts in steps of two."""

READ_AGAIN_AFTER = 60.0
"""After how many seconds a file that looks unchanged is read again: a file system may keep no times at all."""


@dataclass(frozen=True)
class FileState:
    """The digest of a file's contents, and how many certificates in PEM form begin in it."""

    digest: bytes
    certificates: int


def file_state(path: Path) -> FileState:
    """Return the state of the file now."""
    try:
        # Reading a pipe would take its contents away from whoever needs them.
        content = path.read_bytes() if path.is_file() else b""
    except OSError:
        # Whoever needs the file says why it can't be read.
        content = b""
    return FileState(hashlib.blake2b(content).digest(), content.count(_CERTIFICATE.encode()))


def certificates_in(pem: str) -> int:
    """Return how many certificates begin in a text in PEM form."""
    return pem.count(_CERTIFICATE)


class _Seen(NamedTuple):
    """What was read of a file, when, and since when the file has had its signature."""

    signature: tuple[int, ...]
    since: float
    read_at: float
    state: FileState


class FileStates:
    """Tells the states of files, and reads only those that may have changed. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[Path, _Seen] = {}

    def __call__(self, path: Path) -> FileState:
        """Return the state of the file now."""
        signature = _signature(path)
        # Not earlier: the file may have got its signature just before.
        now = self._clock()
        seen = self._seen.get(path)
        since = now
        if seen is not None and seen.signature == signature:
            since = seen.since
            was_sure = seen.read_at - since >= SURE_AFTER
            if was_sure and now - seen.read_at < READ_AGAIN_AFTER:
                return seen.state
        state = file_state(path)
        self._seen[path] = _Seen(signature, since, now, state)
        return state


def _signature(path: Path) -> tuple[int, ...]:
    """Return what changes with every write, if the clock of the file system has moved on since the write before."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
