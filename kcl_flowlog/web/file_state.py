"""What is in a file, in a form that shows every change of it.

Compares contents, because two writes in a row can leave time and size alone.
Knows nothing of what the files mean. A file that can't be read has a state,
too: it equals the state of an empty file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


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
    return FileState(hashlib.blake2b(content).digest(), content.count(_CERTIFICATE))
