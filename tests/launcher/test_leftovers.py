"""What an earlier launcher left: its processors, found by the key of their state directory, and a damaged ledger."""

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
from kcl_flowlog.commits.processor_settings import PROCESSOR_KEY_VARIABLE, PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher import leftovers
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.log_records import fields
from tests.support.waiting import PATIENCE


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory(tmp_path / "state") as opened:
        yield opened


def sleeper(settings: Path, key: str | None) -> subprocess.Popen[bytes]:
    """Start a process that sleeps for minutes; return once it has its environment."""
    keys = {PROCESSOR_KEY_VARIABLE: key} if key is not None else {}
    started = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(300)"],
        env={**os.environ, PROCESSOR_SETTINGS_VARIABLE: str(settings), **keys},
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_only_processors_with_the_key_of_this_state_directory_are_killed(
    state: StateDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """Containers that share a PID namespace see each other's processors, with the same command and the same paths."""
    path, key = state.processor_settings, state.processor_key()
    mine = sleeper(path, key)
    others = [sleeper(path, "0" * len(key)), sleeper(path, key + "0"), sleeper(path, ""), sleeper(path, None)]
    try:
        leftovers.end_processors(state)

        assert -signal.SIGKILL == mine.wait(PATIENCE)
        assert [None] * len(others) == [other.poll() for other in others]
    finally:
        for started in (mine, *others):
            started.kill()
            started.communicate()
    assert [[mine.pid]] == [fields(record)["pids"] for record in caplog.records]


def test_records_in_hand_of_killed_processors_are_forgotten(state: StateDirectory) -> None:
    """Such a record did not cause the death, so it must not come under suspicion."""
    state.attempts.mkdir()
    (state.attempts / "shardId-0").write_text("in hand")
    with sleeper(state.processor_settings, state.processor_key()):
        leftovers.end_processors(state)

    assert not state.attempts.exists()


def test_records_in_hand_stay_if_nothing_was_killed(state: StateDirectory) -> None:
    """A processor may have died of them."""
    state.attempts.mkdir()
    (state.attempts / "shardId-0").write_text("suspect")

    leftovers.end_processors(state)

    assert ["shardId-0"] == [path.name for path in state.attempts.iterdir()]


def test_what_cannot_be_recognised_is_left_alone(
    state: StateDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher itself, although it has the key; a process whose environment can't be read, or that has ended."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    environ = f"A=b\0{PROCESSOR_KEY_VARIABLE}={state.processor_key()}\0".encode()
    for pid, file in ((os.getpid(), "environ"), (1000001, "environ"), (1000002, "unreadable"), (1000003, "")):
        process = tmp_path / "proc" / str(pid)
        process.mkdir(parents=True)
        if file == "environ":
            (process / "environ").write_bytes(environ)
        elif file:
            (process / "environ").mkdir()

    leftovers.end_processors(state, tmp_path / "proc")

    assert [1000001] == killed


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
