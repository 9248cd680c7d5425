"""The inventory that the launcher keeps, as a processor reads it.

Promises that only a whole, undamaged file is mapped: a page that is not there would end the process by a signal. The
launcher replaces the file and never changes it; a file that was replaced lives for as long as it is mapped. Its memory
is the kernel's, so that all processors share it. A file that can't be used is `UnusableInventory`.
"""

from __future__ import annotations

import mmap
import os
from functools import partial
from pathlib import Path

from kcl_flowlog.counting import packed_inventory
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.inventory_tables import Tables
from kcl_flowlog.errors import UnusableInventory

_CHUNK = 1 << 18


class LiveInventory:
    """Maps the file at `path` again whenever the launcher has replaced it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> Index | None:
        """Return a new index if the file was replaced since the last call, else None.

        Raises `OSError` and `UnusableInventory`.
        """
        status = self._path.stat()
        if (status.st_mtime_ns, status.st_ino) == self._seen:
            return None
        with self._path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            try:
                # Read, not mapped, so that this process does not map what it never looks at.
                packed_inventory.check(status.st_size, iter(partial(file.read, _CHUNK), b""))
            except UnusableInventory as error:
                raise UnusableInventory(
                    f"The inventory {self._path} {error}; restart the instance, which writes it again."
                ) from error
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._seen = (status.st_mtime_ns, status.st_ino)
        return Index(Tables(memoryview(mapped)))
