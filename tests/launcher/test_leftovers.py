"""What an earlier launcher has left: found by its state directory, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.launcher import leftovers


def sleeper(settings: Path) -> subprocess.Popen[bytes]:
    """Start a process that would sleep for a minute; return once it has its environment."""
    started = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
        env={**os.environ, PROCESSOR_SETTINGS_VARIABLE: str(settings)},
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()
    return started


def test_only_the_processors_of_this_state_directory_are_ended(tmp_path: Path) -> None:
    """Another instance on the same machine is left alone."""
    mine, other = sleeper(tmp_path / "processor.json"), sleeper(tmp_path / "processor.json.other")
    with mine, other:
        assert leftovers.kill(tmp_path / "processor.json") == [mine.pid]

        assert mine.wait(5) == -9
        assert other.poll() is None
        other.kill()


def test_where_processes_cannot_be_listed_nothing_happens(tmp_path: Path) -> None:
    """Not every system has a /proc."""
    assert leftovers.kill(tmp_path / "processor.json", tmp_path / "nowhere") == []
