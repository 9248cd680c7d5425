"""The dead-letter file: records that could not be used, as JSON lines, for `replay` and for people.

A dead letter stays in the ledger until it is in the file and on disk, so a commit that did not happen neither loses
nor doubles it. A file at its size limit is renamed to `.1`, in place of the file of that name.
"""

from __future__ import annotations

import os
from pathlib import Path

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.dead_letter import to_line
from kcl_flowlog.launcher.state_directory import sync_directory


def write_dead_letters(ledger: Ledger, path: Path, limit: int) -> int:
    """Move the ledger's dead letters to the file at `path`; return how many. Raises `OSError`.

    A file that would grow past `limit` bytes is rotated first.
    """
    letters = ledger.dead_letters()
    if not letters:
        return 0
    lines = b"".join(to_line(letter) for _, letter in letters)
    if path.exists() and path.stat().st_size + len(lines) > limit:
        path.replace(path.with_name(path.name + ".1"))
    is_new = not path.exists() or not path.stat().st_size
    _append(path, lines)
    if is_new:
        sync_directory(path.parent)
    ledger.forget_dead_letters(letters[-1][0])
    return len(letters)


def _append(path: Path, lines: bytes) -> None:
    """Append all of the lines, or nothing."""
    with path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            # The next attempt writes all of them, and must not continue half a line.
            file.truncate(before)
            raise
