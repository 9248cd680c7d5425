"""CPU time and memory of the processes of one instance, from /proc (Linux).

An instance is the launcher's process and all processes below it.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

KINDS: Final = ("processors", "JVM", "launcher")
_TICK = os.sysconf("SC_CLK_TCK")


class Family:
    """The processes of an instance at one moment."""

    def __init__(self, launcher: int) -> None:
        children = defaultdict(list)
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                children[int(_stat(int(folder.name))[1])].append(int(folder.name))
        members = [launcher]
        for member in members:
            members += children[member]
        self._kinds = {member: _kind(member) for member in members}

    def count(self, kind: str) -> int:
        """Return the number of processes of a kind."""
        return sum(each == kind for each in self._kinds.values())

    def cpu_seconds(self) -> Counter[str]:
        """Return the CPU time that each kind of process has used so far, including their ended children."""
        used: Counter[str] = Counter()
        for member, kind in self._kinds.items():
            with suppress(OSError):
                used[kind] += sum(map(int, _stat(member)[11:15])) / _TICK  # type: ignore[assignment]
        return used

    def peak_megabytes(self) -> dict[str, float]:
        """Return the highest resident memory so far of a process of each kind."""
        peaks = dict.fromkeys(KINDS, 0.0)
        for member, kind in self._kinds.items():
            with suppress(OSError):
                status = Path(f"/proc/{member}/status").read_text().splitlines()
                kilobytes = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
                peaks[kind] = max(peaks[kind], int(kilobytes) / 1024)
        return peaks


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the command: state, parent and so on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _kind(pid: int) -> str:
    with suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"kcl_flowlog.processor" in command:
            return "processors"
        if b"multilang.MultiLangDaemon" in command:
            return "JVM"
    return "launcher"
