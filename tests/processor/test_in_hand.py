"""Which record was in hand at a death, as the next processor finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor.in_hand import RecordInHand

A, B = Position("49" * 28, 0), Position("49" * 28, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempts" / "shardId-000000000000"


def test_a_record_in_hand_at_a_death_is_suspect(path: Path) -> None:
    """All that a killed processor leaves is the file. Until its death has been told, it stays there."""
    RecordInHand(path).begin(A)
    assert RecordInHand(path).suspect == A

    attempts = RecordInHand(path)
    attempts.begin(B)
    assert RecordInHand(path).suspect == B
    attempts.end()
    assert RecordInHand(path).suspect is None


def test_a_record_that_was_survived_is_not_suspect(path: Path) -> None:
    """Death came from elsewhere, or in between."""
    attempts = RecordInHand(path)
    attempts.begin(A)
    attempts.end()

    assert RecordInHand(path).suspect is None


def test_what_was_forgotten_is_no_suspect(path: Path) -> None:
    """The shard is someone else's, or has ended."""
    RecordInHand(path).begin(A)
    RecordInHand(path).forget()

    assert not path.exists()
    assert RecordInHand(path).suspect is None


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 2000, b"\1" * 256, b"1 2" + b"\0" * 600])
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes) -> None:
    """It is a help, and no more."""
    path.parent.mkdir()
    path.write_bytes(content)

    attempts = RecordInHand(path)
    assert attempts.suspect is None
    attempts.begin(A)
    assert RecordInHand(path).suspect == A
