"""Run a command that dies with its parent: `python -m kcl_flowlog.tether PARENT COMMAND…`.

If the launcher is killed, nobody would stop the daemon, and the next launcher
would start a second one beside it. The kernel can send a signal at a parent's
death; it has to be asked by the child itself, and Java can't, so this asks
and then becomes the command.

Linux only; elsewhere the command runs untethered.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, whose id is the first argument, and become the rest."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - a fixed argv of the launcher, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
