"""The inventory that the launcher keeps, as a processor reads it."""

from __future__ import annotations

from pathlib import Path

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.inventory_index import Index


class LiveInventory:
    """Reads the file at `path` again whenever the launcher has replaced it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> Index | None:
        """Return a new index if the file was replaced since the last call, else None. Raises `OSError`."""
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return None
        self._seen = seen
        return Index(subnets.load(self._path.read_bytes()))
