"""The dead-letter file: what could not be used, as JSON lines, for `replay` and for people.

The ledger holds dead letters until they are written here, so that none is
lost or doubled by a commit that did not happen. At its size limit the file is
renamed once, to `.1`, and begun anew; older ones are gone.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kcl_flowlog.commits.ledger import Ledger


def write_dead_letters(ledger: Ledger, path: Path, limit: int) -> int:
    """Move the ledger's dead letters to the file at `path`; return how many. Raises `OSError`."""
    letters = ledger.dead_letters()
    if not letters:
        return 0
    lines = b"".join(msgspec.json.encode(letter) + b"\n" for _, letter in letters)
    if path.exists() and path.stat().st_size + len(lines) > limit:
        path.replace(path.with_name(path.name + ".1"))
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            # All of them come again, and half a line would spoil the first.
            file.truncate(before)
            raise
    ledger.forget_dead_letters(letters[-1][0])
    return len(letters)
