"""Faults on order: a process that dies, or hangs, at a named point. For tests of what is lost then, which is nothing.

Nothing happens unless `KCL_FLOWLOG_FAULT` names a file, and nothing while
that file does not exist. It holds `POINT DEED`, and whoever first reaches that
point of a commit removes the file and does the deed: once. Or it holds
`payload DEED TEXT`, and the deed is done whenever a payload with that text is
about to be counted.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

VARIABLE = "KCL_FLOWLOG_FAULT"

COUNTED = "counted"
PREPARED = "prepared"
CHECKPOINTED = "checkpointed"
FOLDED = "folded"
PAYLOAD = "payload"

GAPS = {
    COUNTED: "Records are counted in memory; their commit has not begun.",
    PREPARED: "The delta is prepared, and not checkpointed.",
    CHECKPOINTED: "The delta is checkpointed, and not folded.",
    FOLDED: "The delta is folded; the KCL has not been answered yet.",
}
"""The gaps of the commit protocol, in order."""


class At(Protocol):
    """Called at a point, with the payload where there is one."""

    def __call__(self, point: str, payload: bytes = b"") -> None:
        """Do what is ordered for this point."""


def nowhere(point: str, payload: bytes = b"") -> None:
    """Do nothing: no fault is ordered."""


def ordered(environ: Mapping[str, str]) -> At:
    """Return what to call at each point, by the environment."""
    path = environ.get(VARIABLE)
    return _Order(Path(path)) if path else nowhere


class _Order:
    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, point: str, payload: bytes = b"") -> None:
        try:
            wanted, deed, *text = self._file.read_text().split()
        except FileNotFoundError:
            return
        if point != wanted or not all(word.encode() in payload for word in text):
            return
        if point == PAYLOAD or self._is_first():
            DEEDS[deed]()

    def _is_first(self) -> bool:
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True


def _kill_processor() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_daemon() -> None:
    os.kill(os.getppid(), signal.SIGKILL)


def _kill_all() -> None:
    daemon = os.getppid()
    launcher = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    for pid in (launcher, daemon, os.getpid()):
        os.kill(pid, signal.SIGKILL)


def _hang() -> None:
    while True:
        time.sleep(3600)


DEEDS: Mapping[str, Callable[[], None]] = {
    "kill-processor": _kill_processor,
    "kill-daemon": _kill_daemon,
    "kill-all": _kill_all,
    "hang": _hang,
}
