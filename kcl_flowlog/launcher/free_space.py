"""How much of the state directory's file system is left, at each scrape.

A single system call; the ledger, which a scrape reads as well, is on the same file system. If the system does not tell,
the answer is unknown, never a number from before. Each new error is one warning, however many scrapes meet it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from kcl_flowlog.exporter.state import FileSystem

log = logging.getLogger(__name__)


class FreeSpace:
    """Tells about the file system that holds `directory`."""

    def __init__(self, directory: Path, statvfs: Callable[[Path], os.statvfs_result] = os.statvfs) -> None:
        self._directory = directory
        self._statvfs = statvfs
        self._error = ""

    def read(self) -> FileSystem | None:
        """Return its size and what is available now; None if the system does not tell."""
        try:
            found = self._statvfs(self._directory)
        except OSError as error:
            self._warn(error.strerror or str(error))
            return None
        self._error = ""
        # Not f_bfree: on many file systems only root may use the last blocks.
        return FileSystem(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)

    def _warn(self, error: str) -> None:
        if error != self._error:
            self._error = error
            log.warning(
                "The free space of the state directory is unknown; its metrics are not shown",
                extra={"fields": {"state_dir": str(self._directory), "error": error}},
            )
