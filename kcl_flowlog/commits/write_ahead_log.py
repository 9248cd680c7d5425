"""The write-ahead log of SQLite, read to tell damage from the end of a process.

SQLite takes the log up to the first frame that does not match its checksum, and silently forgets the rest. That is
right if a process or the machine stopped in the middle of a commit: only the last commit is cut short, because each
commit is on disk before the next begins. If several commits follow the first bad frame, that frame was on disk once.

A log whose last commit alone is damaged looks like one whose last commit was cut short. Format:
https://www.sqlite.org/fileformat2.html#walformat. Raises `OSError` if the file can't be read.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_LITTLE_ENDIAN = 0x377F0682
_MAGICS = (_LITTLE_ENDIAN, 0x377F0683)
_WORD = 0xFFFFFFFF

_Checksum = tuple[int, int]


class _Frame(NamedTuple):
    is_of_this_log: bool
    """Frames behind those of this log were left by an earlier log in the same file."""
    is_commit: bool
    covered: bytes
    checksum: _Checksum


def lost_commits(path: Path) -> int:
    """Return how many commits of the log of a closed ledger SQLite would forget, although they were on disk."""
    try:
        log = path.read_bytes()
    except FileNotFoundError:
        return 0
    if len(log) < _HEADER.size + _FRAME.size:
        return 0
    magic, *_, first, second = _HEADER.unpack_from(log)
    checksum = _checksum(magic, log[:24], (0, 0))
    # The header is on disk before the first frame is written.
    if magic not in _MAGICS or checksum != (first, second):
        return max(1, sum(frame.is_commit for frame in _frames(log)))
    frames = list(_frames(log))
    while frames and not frames[-1].is_of_this_log:
        frames.pop()
    for number, frame in enumerate(frames):
        checksum = _checksum(magic, frame.covered, checksum)
        if not frame.is_of_this_log or checksum != frame.checksum:
            commits = sum(later.is_commit for later in frames[number:])
            return commits if commits > 1 else 0
    return 0


def _frames(log: bytes) -> Iterator[_Frame]:
    _, _, page_size, _, *salts, _, _ = _HEADER.unpack_from(log)
    size = _FRAME.size + page_size
    for start in range(_HEADER.size, len(log) - size + 1, size):
        _, pages_after_commit, *salts_of_frame, first, second = _FRAME.unpack_from(log, start)
        covered = log[start : start + 8] + log[start + _FRAME.size : start + size]
        yield _Frame(salts_of_frame == salts, pages_after_commit > 0, covered, (first, second))


def _checksum(magic: int, data: bytes, before: _Checksum) -> _Checksum:
    words = array("I", data)
    if (sys.byteorder == "little") != (magic == _LITTLE_ENDIAN):
        words.byteswap()
    first, second = before
    pairs = iter(words)
    for even, odd in zip(pairs, pairs, strict=True):
        first = (first + even + second) & _WORD
        second = (second + odd + first) & _WORD
    return first, second
