"""benchmarks/counting.py: the table that it prints."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import counting
import pytest

TIMES = {"gunzip alone": 0.25, "columns": 1.0, "line by line": 3.0, "columns, --no-who": 0.5, "standard library": 40.0}
GROWTH = {"columns": 0.081, "line by line": -0.004}


def test_each_figure_is_under_the_name_of_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = json.dumps({"microseconds": TIMES, "growth_with_who": GROWTH, "megabytes": 1})
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, answer))
    monkeypatch.setattr(counting, "RESULT", tmp_path / "counting.json")
    monkeypatch.setattr("sys.argv", ["counting.py"])

    assert 0 == counting.main()

    head, first, *_ = capsys.readouterr().out.splitlines()
    figures = ["0.25 (1.0×)", "1.00 (4.0×)", "3.00 (12.0×)", "0.50 (2.0×)", "40.00 (160.0×)", "+8.1%", "-0.4%"]
    for name, figure in zip([*TIMES, "columns: who", "line by line: who"], figures, strict=True):
        assert head.index(name) + len(name) == first.index(figure) + len(figure)
    assert len(counting.CASES) == len(json.loads((tmp_path / "counting.json").read_text())["results"])


@pytest.mark.parametrize(
    ("times", "without"),
    [
        ([1.1], [1.0]),
        # A busy machine.
        ([1.1, 1.1, 11.0, 1.1, 1.1], [1.0, 1.0, 10.0, 1.0, 1.0]),
        # Who comes first takes longer.
        ([1.5, 1.15, 1.5, 1.15, 1.5], [1.0, 1.409, 1.0, 1.409, 1.0]),
    ],
)
def test_a_growth_compares_times_of_the_same_rounds(times: list[float], without: list[float]) -> None:
    """Whatever else the machine does, and whichever path comes first."""
    assert pytest.approx(0.1, abs=0.001) == counting.growth_of(times, without)
