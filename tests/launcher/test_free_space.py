"""The room of the file system that holds the state directory, and what happens if the system does not tell."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from kcl_flowlog.exporter.state import FileSystem
from kcl_flowlog.launcher.free_space import FreeSpace

_PLACE = Path("/state")


class Statvfs:
    """Answers as a system does that has 1,000 blocks of 4 KiB, of which root alone may use the last 50."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.asked: list[Path] = []

    def __call__(self, path: Path) -> os.statvfs_result:
        self.asked.append(path)
        if self.error is not None:
            raise self.error
        # Block size, fragment size, blocks, free, free for everybody; then files and flags.
        return os.statvfs_result((65536, 4096, 1000, 250, 200, 1, 1, 1, 0, 255))


def test_it_says_what_this_user_can_still_write() -> None:
    """Blocks that are kept for root are no room."""
    statvfs = Statvfs()

    assert FileSystem(1000 * 4096, 200 * 4096) == FreeSpace(_PLACE, statvfs).read()
    assert [_PLACE] == statvfs.asked


def test_it_agrees_with_the_system(tmp_path: Path) -> None:
    """The size is that of the file system, not of the directory."""
    found = FreeSpace(tmp_path).read()

    assert found is not None
    assert os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize == found.size
    assert 0 < found.available <= found.size


def test_an_error_is_unknown_and_said_once_until_the_system_tells_again(caplog: pytest.LogCaptureFixture) -> None:
    """A scrape every few seconds must not fill the log, and another error later is news."""
    statvfs = Statvfs()
    free_space = FreeSpace(_PLACE, statvfs)
    gone, broken = OSError(errno.ENOENT, "No such file"), OSError(errno.EIO, "Input/output error")

    found = []
    for statvfs.error in (gone, gone, broken, None, None, gone):
        found.append(free_space.read() is not None)

    assert [False, False, False, True, True, False] == found
    assert ["No such file", "Input/output error", "No such file"] == [
        record.fields["error"]  # type: ignore[attr-defined]
        for record in caplog.records
    ]
