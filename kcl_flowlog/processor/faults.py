"""Faults on demand, for tests: a processor that dies or hangs at a named point.

Nothing happens unless `KCL_FLOWLOG_FAULT` names a file that exists. If it
holds `POINT ACTION`, the first process to reach that point of a commit
removes the file and does the action, once. If it holds `payload ACTION TEXT`,
the action is done whenever a payload that contains TEXT is about to be
counted.
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
    PREPARED: "The delta is prepared, but not checkpointed.",
    CHECKPOINTED: "The delta is checkpointed, but not folded.",
    FOLDED: "The delta is folded; the KCL has no answer yet.",
}
"""The gaps of the commit protocol, in order."""


class FaultPoint(Protocol):
    """Called at each point, with the payload or nothing."""

    def __call__(self, point: str, payload: bytes = b"") -> None:
        """Do what is demanded for this point, if anything."""


def no_fault(point: str, payload: bytes = b"") -> None:
    """Do nothing: no fault is demanded."""


def from_environment(environ: Mapping[str, str]) -> FaultPoint:
    """Return the function to call at each point."""
    path = environ.get(VARIABLE)
    return _FileFaults(Path(path)) if path else no_fault


class _FileFaults:
    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, point: str, payload: bytes = b"") -> None:
        try:
            demanded, action, *text = self._file.read_text().split()
        except FileNotFoundError:
            return
        if point != demanded or not all(word.encode() in payload for word in text):
            return
        if point == PAYLOAD or self._is_first():
            ACTIONS[action]()

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


ACTIONS: dict[str, Callable[[], None]] = {
    "kill-processor": _kill_processor,
    "kill-daemon": _kill_daemon,
    "kill-all": _kill_all,
    "hang": _hang,
}
