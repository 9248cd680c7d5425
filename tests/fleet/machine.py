"""The parts of a machine that a test can break: a small disk, and a clock."""

from __future__ import annotations

import subprocess
from pathlib import Path


class Disk:
    """A small tmpfs mounted at `path`, or a plain directory if this user can't mount."""

    def __init__(self, path: Path, megabytes: int = 16) -> None:
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
        self.is_small = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Use all free space. Needs a small disk."""
        assert self.is_small
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def clear(self) -> None:
        """Free the space that `fill` used."""
        self._ballast.unlink()

    def remove(self) -> None:
        """Unmount the disk; its files are lost."""
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True, check=False)
            self.is_small = False


class Clock:
    """The wall clock of the Python programs started with `environment()`; `path` holds its offset in seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock ahead of the machine's, or behind it if `seconds` is negative."""
        new = self._path.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._path)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make a Python program use this clock."""
        return {"PYTHONPATH": str(Path(__file__).with_name("clock")), "CLOCK_AHEAD": str(self._path)}
