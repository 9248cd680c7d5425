"""The daemon's output as log records: real output beside the lines that an operator sees, and each rule by itself."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from kcl_flowlog.launcher.daemon_log import RULES, DaemonLog, Rule
from kcl_flowlog.logs import Formatter

OUTPUTS = Path(__file__).parent / "daemon_output"
INITIALISED = "INFO Scheduler Initialization complete. Starting worker loop.␞"
TRACE = (
    "java.util.concurrent.ExecutionException: java.lang.IllegalStateException: closed␤"
    "\tat java.base/java.util.concurrent.FutureTask.get(FutureTask.java:191)␤"
    "Caused by: java.lang.IllegalStateException: closed␤"
    "\tat io.Pool.take(Pool.java:7)␤"
    "\t... 3 more␤"
)


@pytest.fixture
def daemon_log() -> DaemonLog:
    return DaemonLog()


def add_all(daemon_log: DaemonLog, *lines: str) -> None:
    for line in lines:
        daemon_log.add(line)
    daemon_log.flush()


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, dict[str, str]]]:
    """Return level, message and fields of each record."""
    return [(record.levelno, record.getMessage(), record.fields) for record in caplog.records]


@pytest.mark.parametrize("output", sorted(OUTPUTS.glob("*.txt")), ids=lambda path: path.stem)
def test_real_output_becomes_short_lines(daemon_log: DaemonLog, caplog: pytest.LogCaptureFixture, output: Path) -> None:
    """At info, each event of amazon-kinesis-client 3.1.3 is one line, and expected noise is none."""
    caplog.set_level(logging.INFO, logger="kcl")

    add_all(daemon_log, *output.read_text(encoding="utf-8").splitlines())

    expected = output.with_suffix(".log").read_text(encoding="utf-8").splitlines()
    lines = [Formatter("logfmt").format(record) for record in caplog.records]
    assert expected == [line.partition(" ")[2] for line in lines]
