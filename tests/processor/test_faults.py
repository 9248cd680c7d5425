"""Faults on demand: which action a file demands, where, and how often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from kcl_flowlog.processor import faults
from tests.support.paths import ROOT


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the actions done so far."""
    actions: list[str] = []
    for name in ("first", "second"):
        monkeypatch.setitem(faults.ACTIONS, name, partial(actions.append, name))
    return actions


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fault"


def test_nothing_happens_without_the_variable(done: list[str]) -> None:
    """As in production."""
    assert faults.from_environment({}) is faults.no_fault
    assert faults.from_environment({faults.VARIABLE: ""}) is faults.no_fault
    faults.no_fault(faults.PREPARED)
    assert [] == done


def test_an_action_is_done_once_at_its_point(done: list[str], file: Path) -> None:
    """Without the file, or at another point, nothing happens."""
    point = faults.from_environment({faults.VARIABLE: str(file)})
    point(faults.PREPARED)
    file.write_text("prepared first")

    point(faults.COUNTED)
    assert [] == done

    point(faults.PREPARED)
    point(faults.PREPARED)
    assert ["first"] == done
    assert not file.exists()

    file.write_text("folded second")
    point(faults.FOLDED)
    assert ["first", "second"] == done


def test_a_payload_is_met_again_and_again(done: list[str], file: Path) -> None:
    """Every payload with all the words of the text."""
    point = faults.from_environment({faults.VARIABLE: str(file)})
    file.write_text("payload first arsenic lace")

    for payload in (b"old lace and arsenic", b"arsenic", b"", b"arsenic lace"):
        point(faults.PAYLOAD, payload)

    assert ["first", "first"] == done
    assert file.exists()


def test_only_one_of_several_processes_does_the_action(
    done: list[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that removes the file; here another process is quicker."""
    point = faults.from_environment({faults.VARIABLE: str(file)})
    file.write_text("prepared first")
    read = Path.read_text

    def read_and_remove(path: Path) -> str:
        text = read(path)
        path.unlink()
        return text

    monkeypatch.setattr(Path, "read_text", read_and_remove)
    point(faults.PREPARED)

    assert [] == done


def test_kill_processor_kills_this_process() -> None:
    """With SIGKILL, which nobody can handle."""
    source = "from kcl_flowlog.processor import faults; faults.ACTIONS['kill-processor']()"

    ran = subprocess.run([sys.executable, "-c", source], cwd=ROOT, check=False)

    assert -signal.SIGKILL == ran.returncode


@pytest.mark.parametrize(
    ("action", "killed"), [("kill-daemon", {"daemon"}), ("kill-all", {"daemon", "launcher", "processor"})]
)
def test_actions_kill_parent_and_grandparent(monkeypatch: pytest.MonkeyPatch, action: str, killed: set[str]) -> None:
    """The daemon is the processor's parent, the launcher the daemon's."""
    names = {os.getpid(): "processor", 4_000_001: "daemon", 4_000_000: "launcher"}
    kills: list[tuple[str, int]] = []
    stat = "4000001 (java (1) x) S 4000000 1 1 0 -1"
    monkeypatch.setattr(os, "getppid", lambda: 4_000_001)
    monkeypatch.setattr(os, "kill", lambda pid, number: kills.append((names[pid], number)))
    monkeypatch.setattr(Path, "read_text", lambda path: stat if str(path) == "/proc/4000001/stat" else "")

    faults.ACTIONS[action]()

    assert {(name, signal.SIGKILL) for name in killed} == set(kills)


def test_hang_never_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps, again and again."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)

    with pytest.raises(KeyboardInterrupt):
        faults.ACTIONS["hang"]()

    assert 3 == len(naps)
