"""What an instance takes from its machine, where a test can lay hands on it: a small disk, and a clock."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Disk:
    """A disk of its own at `path`, where this user may mount one; else a directory like any other."""

    def __init__(self, path: Path, megabytes: int = 16) -> None:
        """Enough for a ledger with its log of writes, if nothing else is said."""
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
        self.is_small = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Leave no room on it."""
        assert self.is_small
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def remove(self) -> None:
        """Take the disk away."""
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True, check=False)
            self.is_small = False


class Clock:
    """A wall clock that can be set, of the Python programs of an environment; `path` says by how much it is ahead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock so many seconds ahead of the machine's, or behind it."""
        new = self._path.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._path)

    def environment(self) -> dict[str, str]:
        """Return what makes a program see this clock."""
        return {"PYTHONPATH": str(Path(__file__).with_name("clock")), "CLOCK_AHEAD": str(self._path)}
