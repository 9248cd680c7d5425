"""The dead-letter file: what is moved there from the ledger."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.delta import DeadLetter, Delta
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.dead_letters import write_dead_letters
from tests.support.ledgers import SHARD, claim, commit, make_delta


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite3") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


def a_delta(body: str = "x") -> Delta:
    delta = make_delta()
    delta.dead_letters.append(DeadLetter(SHARD, "5", 0, "bad_number", "line", body))
    return delta


def test_dead_letters_move_to_the_file_once_folded(ledger: Ledger, file: Path) -> None:
    """Those of a prepared commit stay where they are; the file rotates once at its limit."""
    held = claim(ledger)
    delta = a_delta("x" * 100)
    ledger.prepare(held, Position("5"), delta.snapshot())
    assert 0 == write_dead_letters(ledger, file, 1000)

    ledger.fold(held)
    assert 1 == write_dead_letters(ledger, file, 600)
    for upto in ("6", "7"):
        commit(ledger, held, upto, delta)
        assert 1 == write_dead_letters(ledger, file, 600)

    assert [] == ledger.dead_letters()
    assert 2 == file.with_name("dead-letters.jsonl.1").read_text().count("\n")
    assert 1 == file.read_text().count('"reason":"bad_number"')


def test_dead_letters_that_do_not_fit_the_disk_come_again_whole(
    ledger: Ledger, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half line is left, and no letter is written twice."""
    commit(ledger, claim(ledger), delta=a_delta())
    file.write_text("earlier\n")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_dead_letters(ledger, file, 10_000)
    assert "earlier\n" == file.read_text()

    assert 1 == write_dead_letters(ledger, file, 10_000)
    assert 2 == file.read_text().count("\n")
