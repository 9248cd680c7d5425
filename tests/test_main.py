"""The first moments of the command: stop signals are captured before anything else happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog import __main__, cli
from kcl_flowlog.launcher.signals import STOP_SIGNALS, StopRequests, held_back
from tests.support.paths import ROOT


def test_nothing_that_takes_long_is_imported_before_the_signals_are_captured() -> None:
    """What is imported first is ours, or of the standard library."""
    program = (
        "import sys\n"
        "import kcl_flowlog.__main__\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))\n"
    )

    answer = subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "__main__ kcl_flowlog" == answer.stdout.strip()


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Run the command with a function in place of its command line."""

    def run(body: Callable[[StopRequests], None], *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["kcl-flowlog", *arguments])
        monkeypatch.setattr(cli, "main", body)
        __main__.main()

    # `run` ignores the signals in the end, if one came.
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def test_run_learns_of_signals_that_came_early(command_line: Callable[..., Any]) -> None:
    """They don't end the process."""
    pending: list[bool] = []

    def body(stop: StopRequests) -> None:
        signal.raise_signal(signal.SIGTERM)
        pending.append(stop.is_pending)

    command_line(body, "run", "--stream", "flow-logs")

    assert [True] == pending


@pytest.mark.parametrize("arguments", [(), ("demo",), ("replay", "run")])
def test_the_other_commands_end_as_usual(command_line: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    """Python's own handlers stay."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    during: list[Any] = []

    command_line(
        lambda _: during.extend(signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)), *arguments
    )

    assert before == during


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_stops_in_order_however_early_it_is_signalled(number: signal.Signals, tmp_path: Path) -> None:
    """The parent held the signals back, so not even the start of the interpreter loses any."""
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    options = {
        "--stream": "flow-logs",
        "--region": "eu-west-1",
        "--java": str(java),
        "--state-dir": str(tmp_path / "state"),
    }
    with held_back():
        command = subprocess.Popen(
            [sys.executable, "-m", "kcl_flowlog", "run", *(part for option in options.items() for part in option)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
        )

    command.send_signal(number)
    _, log = command.communicate()

    assert 0 == command.returncode, log
    assert b"Stopped before the start" in log
