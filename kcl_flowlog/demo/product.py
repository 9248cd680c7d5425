"""The product under demonstration: the real launcher, as a process with its log in a file.

`product_argv` is the command that a user would type. The process has a
session of its own, so that Ctrl-C reaches only the demo, which stops it in
order; it also stops when the demo is killed. Fails with `DemoError`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kcl_flowlog.demo.errors import DemoError, last_words
from kcl_flowlog.launcher.parent_death import end_with_parent

_SLICE = 0.1
_FOREIGN = ("AWS_", "KCL_FLOWLOG_")


def product_argv(stream: str, state_dir: Path, port: int) -> list[str]:
    """Return the command that runs the product with times short enough to watch."""
    options = {
        "--stream": stream,
        "--application": "kcl-flowlog-demo",
        "--state-dir": str(state_dir),
        "--initial-position": "trim-horizon",
        "--checkpoint-interval": "2s",
        "--newborn-hold": "5s",
        "--inventory-interval": "60s",
        "--final-scrape-timeout": "0s",
        "--web.listen-address": f"127.0.0.1:{port}",
    }
    properties = ("idleTimeBetweenReadsInMillis=250", "failoverTimeMillis=5000", "shardSyncIntervalMillis=5000")
    return [
        sys.executable,
        "-m",
        "kcl_flowlog",
        "run",
        *(part for option in options.items() for part in option),
        *(part for pair in properties for part in ("--kcl-property", pair)),
    ]


def environment(of_aws: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `of_aws` in place of any other account or setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **of_aws}


class Product:
    """One run of `argv`; stdout and stderr are appended to the file `log`."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._argv = list(argv)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting for anything."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                end_with_parent(self._argv, signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise `DemoError` if it has ended by itself."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            raise DemoError(f"kcl-flowlog run has ended with status {status}.{last_words(self._log.read_bytes())}")

    def stop(self, patience: float = 60.0, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ask it to stop and wait for its end; does nothing the second time.

        Once `hurry` says so it is asked again, which it takes as at once.
        Raises `DemoError` if its status is not 0, or if it had to be killed
        after `patience` seconds.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        status = _status_within(process, patience, hurry)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DemoError(f"kcl-flowlog run did not stop within {patience:g} s.{last_words(self._log.read_bytes())}")
        if status != 0:
            raise DemoError(
                f"kcl-flowlog run was asked to stop and ended with status {status}.{last_words(self._log.read_bytes())}"
            )

    def abandon(self) -> None:
        """Stop it as well as can be, when something else has gone wrong and is about to be told."""
        with contextlib.suppress(DemoError):
            self.stop()


def _status_within(process: subprocess.Popen[bytes], patience: float, hurry: Callable[[], bool]) -> int | None:
    """Wait for the end of a process that was sent SIGTERM; return its status, or None if it goes on."""
    deadline = time.monotonic() + patience
    hurried = False
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_SLICE)
        if hurry() and not hurried:
            hurried = True
            process.send_signal(signal.SIGTERM)
    return None
