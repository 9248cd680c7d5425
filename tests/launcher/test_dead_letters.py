"""The dead-letter file: whole lines, each once, within its limit."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.dead_letters import write_dead_letters

SHARD = "shardId-0"
LETTER_BYTES = len(msgspec.json.encode(DeadLetter(SHARD, "5", 0, "gzip", "payload", "first"))) + 1


class Letters:
    """A ledger that gets dead letters, and the file that they move to."""

    def __init__(self, directory: Path) -> None:
        self.ledger = Ledger(directory / "ledger.sqlite3")
        self.path = directory / "dead-letters.jsonl"
        self.rotated = directory / "dead-letters.jsonl.1"

    def commit(self, *bodies: str) -> None:
        letters = [DeadLetter(SHARD, "5", 0, "gzip", "payload", body) for body in bodies]
        claim = self.ledger.claim(SHARD, self.ledger.begin_generation())
        self.ledger.prepare(claim, Position("9"), Snapshot(dead_letters=letters))
        self.ledger.fold(claim)

    def write(self, limit: int = 10_000) -> int:
        return write_dead_letters(self.ledger, self.path, limit)


@pytest.fixture
def letters(tmp_path: Path) -> Iterator[Letters]:
    made = Letters(tmp_path)
    with made.ledger:
        yield made


def bodies(path: Path) -> list[str]:
    return [msgspec.json.decode(line, type=DeadLetter).body for line in path.read_bytes().splitlines()]


def test_without_dead_letters_there_is_no_file(letters: Letters) -> None:
    """Most instances never have any."""
    assert (0, False) == (letters.write(), letters.path.exists())


def test_the_name_of_a_new_file_is_on_disk(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the ledger forgets what is in it; also after a rotation, but not each time."""
    synced: list[tuple[str, int]] = []

    def note(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        synced.append((name, len(letters.ledger.dead_letters())))

    monkeypatch.setattr(os, "fsync", note)
    for body in ("first", "second"):
        letters.commit(body)
        letters.write()
    letters.commit("third")
    letters.write(limit=LETTER_BYTES)

    file, directory = ("dead-letters.jsonl", 1), (letters.path.parent.name, 1)
    assert [file, directory, file, file, directory] == synced


def test_dead_letters_move_to_the_file_once(letters: Letters) -> None:
    """In their order, behind those that are there."""
    letters.commit("first", "second")
    letters.write()
    letters.commit("third")

    assert (1, 0) == (letters.write(), letters.write())
    assert ["first", "second", "third"] == bodies(letters.path)


def test_a_file_at_its_limit_is_kept_and_another_begins(letters: Letters) -> None:
    """The file may grow up to its limit; only one old file is kept."""
    limit = 2 * LETTER_BYTES
    for body in ("first", "secon", "third", "fourt", "fifth"):
        letters.commit(body)
        letters.write(limit)

    assert (["third", "fourt"], ["fifth"]) == (bodies(letters.rotated), bodies(letters.path))


def test_dead_letters_that_do_not_fit_the_disk_come_again_whole(
    letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half line is left, and no line is there twice."""
    letters.commit("first")
    letters.write()
    letters.commit("second")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            letters.write()
    after_the_failure = bodies(letters.path)
    letters.write()

    assert (["first"], ["first", "second"]) == (after_the_failure, bodies(letters.path))


def test_dead_letters_of_a_prepared_commit_stay_in_the_ledger(letters: Letters) -> None:
    """Its checkpoint may not have happened: then the records are read again, and so are their dead letters."""
    claim = letters.ledger.claim(SHARD, letters.ledger.begin_generation())
    letters.ledger.prepare(
        claim, Position("9"), Snapshot(dead_letters=[DeadLetter(SHARD, "5", 0, "gzip", "payload", "a")])
    )

    before = letters.write()
    letters.ledger.fold(claim)

    assert (0, 1) == (before, letters.write())


def test_what_a_terminal_would_obey_is_escaped(letters: Letters) -> None:
    """People look at the file; a reader of JSON gets the original."""
    letters.commit("\x9b2J \u202e größe")

    letters.write()

    assert rb"\u009b2J \u202e " in letters.path.read_bytes()
    assert ["\x9b2J \u202e größe"] == bodies(letters.path)
