"""Cleans up after an earlier launcher of the same state directory, before a start.

Only the holder of the directory's lock may call this.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from kcl_flowlog.commits.damage import LedgerError
from kcl_flowlog.commits.processor_settings import PROCESSOR_KEY_VARIABLE
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher.state_directory import StateDirectory

log = logging.getLogger(__name__)


def end_processors(state: StateDirectory, processes: Path = Path("/proc")) -> None:
    """Kill the processors that an earlier launcher of this state directory left running.

    A processor that hangs outlives its daemon, because it does not see the end of its input. It can write nothing to
    the ledger any more, but it holds memory, and perhaps a stdout. Does nothing on a system without /proc.
    """
    killed = _kill_all(state.processor_key(), processes)
    if killed:
        # The records that they had in hand are not the cause.
        shutil.rmtree(state.attempts, ignore_errors=True)
        log.warning("Killed processors that an earlier launcher left running", extra={"fields": {"pids": killed}})


def _kill_all(key: str, processes: Path) -> list[int]:
    """Kill the processes whose environment holds this key; return their process ids."""
    # Not by paths: containers that share a PID namespace may have the same paths for different directories.
    wanted = f"{PROCESSOR_KEY_VARIABLE}={key}".encode()
    killed = []
    for entry in processes.glob("[0-9]*"):
        # The process may end in between. If its environment can't be read, nothing says that it is ours.
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
                killed.append(int(entry.name))
    return killed


def set_broken_ledger_aside(state: StateDirectory) -> None:
    """Rename a damaged ledger, so that the instance creates another. Raises `FlowlogError` if it can't be read."""
    try:
        aside = set_aside_if_broken(state.ledger, time.strftime("broken-%Y%m%dT%H%M%SZ", time.gmtime()))
    except (OSError, LedgerError) as error:
        raise FlowlogError(f"The ledger {state.ledger} can't be read: {error}.") from error
    if aside is not None:
        kept_as, damage = aside
        log.error(
            "The ledger was damaged; all totals start again at 0",
            extra={"fields": {"damage": damage, "kept_as": str(kept_as)}},
        )
