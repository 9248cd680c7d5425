"""Run a record processor, as a child of the MultiLangDaemon: `python -m kcl_flowlog.processor`.

Promises that an exception ends the process before a status is written:
amazon_kclpy itself would acknowledge the batch. stdin and stdout are the KCL's
protocol; whatever else is written to stdout goes to stderr. Signals to stop
are ignored: the daemon stops a processor, with a message or by closing stdin.

Each shard has a process, so it imports no boto3, click or prometheus_client.
"""

from __future__ import annotations

import fcntl
import io
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec
from amazon_kclpy import kcl

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Farewell, Messenger
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE, ProcessorSettings
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.requests import Requests
from kcl_flowlog.processor.shard import ShardProcessor

ROOM = 256 * 1024
"""The bytes that the daemon may write before they are read: all processes of a user share what Linux has for pipes."""


class FailStopProcess(kcl.KCLProcess):  # type: ignore[misc] # amazon_kclpy has no types
    """amazon_kclpy's loop, except that an exception in a callback ends it, and that a batch takes less memory."""

    def __init__(self, processor: ShardProcessor, requests: io.FileIO, answers: TextIO) -> None:
        super().__init__(processor, requests, answers, sys.stderr)
        self.io_handler = Requests(requests, answers, sys.stderr)
        self.checkpointer = kcl.Checkpointer(self.io_handler)

    def _perform_action(self, action: Any) -> None:
        action.dispatch(self.checkpointer, self.processor)


def main() -> None:
    """Run until the daemon closes stdin, then exit."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    requests, answers = take_over_protocol()
    code = run(os.environ, requests, answers)
    # Nothing more may be flushed to the protocol, and no thread may keep the process alive.
    os._exit(code)


def run(environ: Mapping[str, str], requests: io.FileIO, answers: TextIO) -> int:
    """Answer the daemon's requests to their end; return the exit code, 1 after an error."""
    settings = msgspec.json.decode(Path(environ[PROCESSOR_SETTINGS_VARIABLE]).read_bytes(), type=ProcessorSettings)
    with Messenger.connect(settings.messages, requests.fileno()) as messenger:
        try:
            bounds = SubnetBounds(settings.max_subnets, settings.max_unlisted_subnets)
            with Ledger(Path(settings.ledger), bounds=bounds) as ledger:
                processor = ShardProcessor(settings, ledger, messenger, fault_point=faults.from_environment(environ))
                FailStopProcess(processor, requests, answers).run()
            messenger.send(Farewell())
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends the process and must be known
            _report(messenger, error)
            return 1
    return 0


def take_over_protocol() -> tuple[io.FileIO, TextIO]:
    """Return the protocol's input and output; from now on stdin is empty, and stdout goes to stderr."""
    requests = io.FileIO(os.dup(0))
    with suppress(OSError):
        # Only faster: a batch is read while it is counted, and each wait for the daemon costs. Not all may do it.
        fcntl.fcntl(requests.fileno(), fcntl.F_SETPIPE_SZ, ROOM)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.dup2(2, 1)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - open for as long as the process lives
    sys.stdout = sys.stderr
    return requests, answers


def _report(messenger: Messenger, error: Exception) -> None:
    trace = traceback.format_exc()
    try:
        messenger.log("error", "Processor failed", error=str(error) or type(error).__name__, trace=trace)
    except OSError:
        # The launcher is gone, too; the daemon may still log this.
        sys.stderr.write(trace)
        sys.stderr.flush()


if __name__ == "__main__":
    main()
