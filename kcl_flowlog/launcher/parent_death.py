"""Run a command that ends with its parent: `python -m kcl_flowlog.launcher.parent_death SIGNAL PARENT COMMAND…`.

If the launcher is killed, nobody stops the daemon, and the next launcher starts a second daemon beside it. The
kernel can signal a process when its parent dies, but only the process itself can ask for that, and Java can't. So
this program asks, and then becomes the command, which keeps the process id and gives the exit code.

Linux only; elsewhere the command may outlive its parent.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from kcl_flowlog.launcher.prctl import set_parent_death_signal


def end_with_parent(argv: Sequence[str], at_death: signal.Signals) -> list[str]:
    """Return the command line that runs `argv` and sends it the signal `at_death` when this process ends.

    Start it from the main thread: to the kernel, the parent is the thread.
    """
    return [sys.executable, "-m", "kcl_flowlog.launcher.parent_death", str(int(at_death)), str(os.getpid()), *argv]


def main(arguments: list[str]) -> None:
    """Become the command; exit with 1 if the parent has ended already."""
    at_death, parent, *command = arguments
    set_parent_death_signal(int(at_death))
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
