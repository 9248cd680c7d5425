"""The product under test: `kcl-flowlog run` as a child process, with its log in a file.

`product_argv` is the command that a user would type. The process has its own
session, so that Ctrl-C reaches only the demo, which stops it in order. It also
gets a SIGTERM if the demo dies. Fails with `DemoError`.
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

from kcl_flowlog.demo.errors import DemoError, last_output
from kcl_flowlog.launcher.parent_death import end_with_parent
from kcl_flowlog.launcher.signals import held_back

_SLICE = 0.1
_PREFIXES_NOT_INHERITED = ("AWS_", "KCL_FLOWLOG_")


def product_argv(stream: str, state_dir: Path, port: int) -> list[str]:
    """Return the command that runs the product with intervals short enough to watch."""
    options = {
        "--stream": stream,
        "--application": "kcl-flowlog-demo",
        "--state-dir": str(state_dir),
        "--initial-position": "trim-horizon",
        "--checkpoint-interval": "2s",
        "--newborn-hold": "5s",
        "--inventory-interval": "60s",
        "--traffic-labels": "protocol,peer,interface_type",
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


def environment(aws_variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment, with `aws_variables` instead of any other AWS account or setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIXES_NOT_INHERITED)}
    return {**kept, **aws_variables}


class Product:
    """A run of `argv` that appends its stdout and stderr to the file `log`."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._argv = list(argv)
        self._environment = dict(environment)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process without waiting for anything.

        A SIGTERM that is sent before the product has a handler stays pending until then, instead of killing it.
        """
        with self._log.open("ab") as log, held_back():
            self._process = subprocess.Popen(
                end_with_parent(self._argv, signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise `DemoError` if the process has ended."""
        status = self._process.poll() if self._process else None
        if status is not None:
            self._process = None
            raise DemoError(f"kcl-flowlog run ended with status {status}.{self._last_output()}")

    def stop(self, patience: float = 60.0, in_a_hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop the process in order and wait for its end. A second call does nothing.

        Sends a second SIGTERM, which makes the product hurry, once `in_a_hurry`
        returns true. Raises `DemoError` if the exit status is not 0, or if it has
        to kill the process after `patience` seconds.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        status = _status_within(process, patience, in_a_hurry)
        if status is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DemoError(f"kcl-flowlog run did not stop within {patience:g} s.{self._last_output()}")
        if status != 0:
            raise DemoError(f"kcl-flowlog run stopped on SIGTERM with status {status}.{self._last_output()}")

    def clean_up(self) -> None:
        """Stop the process if it still runs. Ignores errors, because another error ended the demo."""
        with contextlib.suppress(DemoError):
            self.stop()

    def _last_output(self) -> str:
        return last_output(self._log.read_bytes())


def _status_within(process: subprocess.Popen[bytes], patience: float, in_a_hurry: Callable[[], bool]) -> int | None:
    """Return the exit status of a process that got a SIGTERM, or None if it still runs after `patience` seconds."""
    deadline = time.monotonic() + patience
    is_hurried = False
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_SLICE)
        if in_a_hurry() and not is_hurried:
            is_hurried = True
            process.send_signal(signal.SIGTERM)
    return None
