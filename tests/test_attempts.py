"""Which record was in hand at a death, as the next processor finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.attempts import DEATHS, Attempts
from kcl_flowlog.positions import Position

A, B = Position("49" * 28, 0), Position("49" * 28, 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempts" / "shardId-000000000000"


def die(path: Path, position: Position, times: int = 1) -> None:
    """Begin a record, and never end it: all that a killed processor leaves is the file."""
    for _ in range(times):
        Attempts(path).begin(position)


def test_a_record_in_hand_at_several_deaths_in_a_row_is_poison(path: Path) -> None:
    """Not before, and no other record."""
    die(path, A, DEATHS - 1)
    assert not Attempts(path).is_poison(A)
    die(path, A)

    attempts = Attempts(path)
    assert attempts.is_poison(A)
    assert not attempts.is_poison(B)


def test_it_stays_poison_over_starts_without_a_death(path: Path) -> None:
    """A stop before its commit must not let it kill three more."""
    die(path, A, DEATHS)
    for _ in range(3):
        attempts = Attempts(path)
        attempts.begin(B)
        attempts.end(B)

    assert Attempts(path).is_poison(A)


def test_a_death_elsewhere_begins_anew(path: Path) -> None:
    """Deaths at different records are no sign of a bad one."""
    die(path, A, DEATHS - 1)
    die(path, B)
    die(path, A, DEATHS - 1)

    assert not Attempts(path).is_poison(A)


def test_a_record_that_was_survived_is_not_suspect(path: Path) -> None:
    """It was killed from outside before."""
    die(path, A, DEATHS - 1)
    attempts = Attempts(path)
    attempts.begin(A)
    attempts.end(A)
    die(path, A)

    assert not Attempts(path).is_poison(A)


def test_what_was_forgotten_is_no_suspect(path: Path) -> None:
    """The shard is someone else's, or has ended."""
    die(path, A, DEATHS)
    Attempts(path).forget()

    assert not path.exists()
    assert not Attempts(path).is_poison(A)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 2000, b"1 2" + b"\0" * 600])
def test_a_damaged_file_is_begun_anew(path: Path, content: bytes) -> None:
    """It is a help, and no more."""
    path.parent.mkdir()
    path.write_bytes(content)

    attempts = Attempts(path)
    assert not attempts.is_poison(A)
    attempts.begin(A)
    assert Attempts(path).suspect == A
