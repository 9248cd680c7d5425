"""Run a command that ends with its parent: `python -m kcl_flowlog.launcher.parent_death SIGNAL PARENT COMMAND…`.

If the launcher is killed, nobody would stop the daemon, and the next launcher
would start a second one beside it. The kernel can send a signal at a parent's
death, but the child itself has to ask for it, and Java can't. So this asks,
and then becomes the command: its id, its exit code and its signals are the
command's own.

Linux only; elsewhere the command runs without a tether.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def end_with_parent(argv: Sequence[str], at_death: signal.Signals) -> list[str]:
    """Return the command line that runs `argv` and sends it `at_death` when this process dies.

    Start it from the main thread: the kernel takes the thread for the parent.
    """
    return [sys.executable, "-m", "kcl_flowlog.launcher.parent_death", str(int(at_death)), str(os.getpid()), *argv]


def main(arguments: list[str]) -> None:
    """Become the command; exit with 1 if the parent is gone already."""
    at_death, parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(at_death))
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
