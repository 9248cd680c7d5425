"""What an earlier launcher left: its processors, found by their state directory alone, and a damaged ledger."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher import leftovers
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.log_records import fields
from tests.support.waiting import PATIENCE


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory(tmp_path / "state") as opened:
        yield opened


def sleeper(settings: Path) -> subprocess.Popen[bytes]:
    """Start a process that sleeps for minutes; return once it has its environment."""
    started = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(300)"],
        env={**os.environ, PROCESSOR_SETTINGS_VARIABLE: str(settings)},
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_only_the_processors_of_this_state_directory_are_killed(
    state: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """Another instance on the same machine is left alone."""
    mine, other = sleeper(state.processor_settings), sleeper(state.path / "processor.json.other")
    with mine, other:
        leftovers.end_processors(state)

        assert -signal.SIGKILL == mine.wait(PATIENCE)
        assert other.poll() is None
        other.kill()
    assert [[mine.pid]] == [fields(record)["pids"] for record in caplog.records]


def test_records_in_hand_of_killed_processors_are_forgotten(state: StateDirectory) -> None:
    """Such a record did not cause the death, so it must not come under suspicion."""
    state.attempts.mkdir()
    (state.attempts / "shardId-0").write_text("in hand")
    with sleeper(state.processor_settings):
        leftovers.end_processors(state)

    assert not state.attempts.exists()


def test_records_in_hand_stay_if_nothing_was_killed(state: StateDirectory) -> None:
    """A processor may have died of them."""
    state.attempts.mkdir()
    (state.attempts / "shardId-0").write_text("suspect")

    leftovers.end_processors(state)

    assert ["shardId-0"] == [path.name for path in state.attempts.iterdir()]


def test_the_launcher_itself_is_no_leftover(state: StateDirectory, tmp_path: Path) -> None:
    """Even if it was started from an environment that names the file; nor is a process that has just ended."""
    environ = f"A=b\0{PROCESSOR_SETTINGS_VARIABLE}={state.processor_settings}\0".encode()
    launcher = tmp_path / "proc" / str(os.getpid())
    launcher.mkdir(parents=True)
    (launcher / "environ").write_bytes(environ)
    (tmp_path / "proc" / "1").mkdir()

    leftovers.end_processors(state, tmp_path / "proc")


def test_nothing_happens_if_processes_cannot_be_listed(state: StateDirectory, tmp_path: Path) -> None:
    """Not every system has a /proc."""
    leftovers.end_processors(state, tmp_path / "nowhere")


def test_a_damaged_ledger_is_kept_under_another_name(state: StateDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """The log says where it is, and that the totals start again."""
    state.ledger.write_bytes(b"no ledger" * 1000)

    leftovers.set_broken_ledger_aside(state)

    (kept,) = state.path.glob("ledger.sqlite3.*")
    assert re.fullmatch(r"ledger\.sqlite3\.broken-\d{8}T\d{6}Z", kept.name)
    (record,) = caplog.records
    assert (
        "ERROR",
        "The ledger was damaged; all totals start again at 0",
        {"damage": "file is not a database", "kept_as": str(kept)},
    ) == (
        record.levelname,
        record.getMessage(),
        fields(record),
    )
    assert not state.ledger.exists()


def test_a_good_ledger_stays(state: StateDirectory, caplog: pytest.LogCaptureFixture) -> None:
    """And so does none at all."""
    leftovers.set_broken_ledger_aside(state)
    Ledger(state.ledger).close()

    leftovers.set_broken_ledger_aside(state)

    assert (True, []) == (state.ledger.exists(), caplog.records)


def test_a_ledger_that_cannot_be_read_ends_the_start(state: StateDirectory) -> None:
    """It may be in order, so it is not set aside."""
    state.ledger.mkdir()

    with pytest.raises(FlowlogError, match=f"^The ledger {state.ledger} can't be read: unable to open database file"):
        leftovers.set_broken_ledger_aside(state)
