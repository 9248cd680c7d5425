"""Processors that an earlier launcher left behind: a hung one outlives its daemon, since it does not see its input end.

It can write nothing to the ledger any more; but it holds memory, and perhaps a stdout. It is told by the settings file
in its environment, which is one state directory's alone; so this may be called only by who holds the directory's lock.
Where the processes of a machine can't be listed, there is nothing to do.
"""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress
from pathlib import Path

from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE

log = logging.getLogger(__name__)


def kill(processor_settings: Path, processes: Path = Path("/proc")) -> list[int]:
    """Kill the processors that were started with this settings file; return their process ids."""
    wanted = f"{PROCESSOR_SETTINGS_VARIABLE}={processor_settings}".encode()
    killed = []
    for entry in processes.glob("[0-9]*"):
        # A process may end while it is looked at, or be someone else's.
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
                killed.append(int(entry.name))
    if killed:
        log.warning("Ended %d processes that an earlier launcher of this state directory had left", len(killed))
    return killed
