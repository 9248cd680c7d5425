"""What tests download: once, and whole, also if several processes of a test run want it at the same moment."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import downloads

WRITES_SLOWLY = """
import pathlib, time
with pathlib.Path("runs").open("a") as runs:
    runs.write("1")
with pathlib.Path("part").open("w") as part:
    part.write("half, ")
    part.flush()
    time.sleep(0.2)
    part.write("whole")
"""


def test_who_comes_second_waits_for_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "FOLDER", tmp_path)

    def content(_: int) -> str:
        return (downloads.download("slow", [sys.executable, "-c", WRITES_SLOWLY]) / "part").read_text()

    with ThreadPoolExecutor(4) as threads:
        assert ["half, whole"] * 4 == list(threads.map(content, range(4)))
    assert "1" == (tmp_path / "slow" / "runs").read_text()
