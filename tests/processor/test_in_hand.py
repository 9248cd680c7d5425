"""The record in hand at a death, as the next processor finds it."""

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
    """The note is all that a killed processor leaves; it stays until the death is reported."""
    RecordInHand(path).begin(A)
    assert A == RecordInHand(path).suspect

    in_hand = RecordInHand(path)
    in_hand.begin(B)
    assert B == RecordInHand(path).suspect
    in_hand.end()
    assert RecordInHand(path).suspect is None


def test_a_record_that_was_counted_is_not_suspect(path: Path) -> None:
    """The death had another cause."""
    in_hand = RecordInHand(path)
    in_hand.begin(A)
    in_hand.end()

    assert RecordInHand(path).suspect is None


def test_a_forgotten_note_is_gone(path: Path) -> None:
    """The file, too: the shard has another owner, or has ended."""
    RecordInHand(path).begin(A)
    RecordInHand(path).forget()

    assert not path.exists()
    assert RecordInHand(path).suspect is None


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 2000, b"\1" * 256, b"1 2" + b"\0" * 600])
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes) -> None:
    """Nothing is suspect then, and the next record can be noted."""
    path.parent.mkdir()
    path.write_bytes(content)

    in_hand = RecordInHand(path)
    assert in_hand.suspect is None
    in_hand.begin(A)
    assert A == RecordInHand(path).suspect


def test_the_note_is_small_and_private(path: Path) -> None:
    """Of the user who runs the instance, and the same size for every position."""
    in_hand = RecordInHand(path)
    in_hand.begin(A)

    assert (256, 0o600) == (path.stat().st_size, path.stat().st_mode & 0o777)


def test_a_note_that_is_gone_can_be_forgotten(path: Path) -> None:
    """The launcher removes the notes of processors that it kills."""
    in_hand = RecordInHand(path)
    path.unlink()

    in_hand.forget()

    assert not path.exists()
