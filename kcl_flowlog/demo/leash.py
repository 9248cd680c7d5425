"""Run a command that ends with its parent: `python -m kcl_flowlog.demo.leash PARENT COMMAND…`.

Linux sends the command SIGTERM when the parent dies, be it of SIGKILL; other
systems run the command without that. The process becomes the command, so its
id, its exit status and its signals are the command's own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def leashed(argv: list[str]) -> list[str]:
    """Return the command line that runs `argv` on a leash of this process; start it from the main thread."""
    return [sys.executable, "-m", "kcl_flowlog.demo.leash", str(os.getpid()), *argv]


def main(argv: list[str]) -> None:
    """Become the command; exit with 1 if the parent is gone already."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(argv[0]):
            sys.exit(1)
    os.execvp(argv[1], argv[1:])  # noqa: S606 - there is nothing to quote


if __name__ == "__main__":
    main(sys.argv[1:])
