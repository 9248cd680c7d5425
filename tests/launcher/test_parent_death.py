"""A command that ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kcl_flowlog.launcher import parent_death
from kcl_flowlog.launcher.parent_death import end_with_parent


def test_the_process_becomes_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It prepares the signal first, so that there is no moment without."""
    done: list[object] = []
    monkeypatch.setattr(parent_death, "set_parent_death_signal", done.append)
    monkeypatch.setattr(os, "execvp", lambda file, argv: done.append((file, argv)))

    parent_death.main(["9", str(os.getppid()), "java", "-version"])

    assert [9, ("java", ["java", "-version"])] == done


def test_the_command_does_not_start_if_the_parent_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel would send no signal any more."""
    monkeypatch.setattr(parent_death, "set_parent_death_signal", lambda _: None)
    monkeypatch.setattr(os, "execvp", lambda *_: pytest.fail("started"))

    with pytest.raises(SystemExit) as stopped:
        parent_death.main(["9", str(os.getpid()), "java"])

    assert 1 == stopped.value.code


def test_the_exit_code_is_the_commands() -> None:
    """So is its output."""
    argv = end_with_parent([sys.executable, "-c", "print('said'); raise SystemExit(7)"], signal.SIGKILL)

    ended = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert (7, "said\n") == (ended.returncode, ended.stdout)
