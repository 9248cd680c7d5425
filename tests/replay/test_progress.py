"""The progress of a replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.replay.progress import progress


def test_standard_input_shows_how_much_was_read(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody knows how much there is, but it moves with each megabyte."""
    with progress(["-"], is_shown=True) as advance:
        for size in (250_000, 500_000, 300_000, 100, 2_000_000):
            advance(size)

    assert "\rReading 0 MB\rReading 1 MB\rReading 3 MB\n" == capsys.readouterr().err


def test_files_have_a_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal, click shows only its label."""
    path = tmp_path / "file"
    path.write_bytes(bytes(2000))

    with progress([str(path)], is_shown=True) as advance:
        advance(2000)

    assert "Reading" in capsys.readouterr().err


def test_progress_can_be_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    """For logs."""
    with progress(["-"], is_shown=False) as advance:
        advance(5_000_000)

    assert "" == capsys.readouterr().err
