"""A bit that flips in the file of a ledger: what is read is right, or recognised as damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.commits.totals import SeenTotals
from tests.support.bit_flips import DAMAGE, RIGHT, content, fill, flip, flips, outcome, outcomes, read
from tests.support.examples import sample
from tests.support.ledgers import change


@pytest.mark.parametrize("seed", sample(range(4)))
def test_no_flip_in_the_file_makes_a_wrong_total(path: Path, seed: int) -> None:
    """Whoever opens it while an instance runs, without the check of a start."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=20)

    found = outcomes(path, number=75, seed=seed)

    assert {RIGHT, DAMAGE} == set(found)
    assert 75 == sum(found.values())


def test_no_flip_after_a_scrape_makes_a_wrong_total(path: Path) -> None:
    """The next scrape uses what the last has made of rows that it finds as they were."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=20)
    seen = SeenTotals()

    def scrape(path: Path) -> dict[str, Any]:
        with Ledger(path) as ledger:
            return ledger.totals(seen)._asdict()

    found = outcomes(path, number=75, seed=4, read=scrape)

    assert {RIGHT, DAMAGE} == set(found)
    assert 75 == sum(found.values())


def test_no_flip_where_the_file_says_what_it_is_makes_a_wrong_total(path: Path) -> None:
    """Its header and the statements of its tables: every eighth bit."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=2)
    data = path.read_bytes()
    right = read(path)
    found: Counter[str] = Counter()

    for place in range(4096):
        if (place > 100 and data[place] == 0) or place % 16:
            continue
        path.write_bytes(flip(data, place, place // 16 % 8))
        found[outcome(lambda: read(path), right)] += 1

    assert {RIGHT, DAMAGE} == set(found)


def test_a_statement_that_is_no_text_any_more_is_damage(path: Path) -> None:
    """SQLite's sentence about it has bytes that Python can't decode."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=2)
        right = content(ledger)
    data = path.read_bytes()
    path.write_bytes(flip(data, data.index(b"INTEGER NOT NULL") + 15, 7))

    assert DAMAGE == outcome(lambda: read(path), right)
    assert DAMAGE == outcome(lambda: start(path), right)


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[bytes, bytes, list[dict[str, Any]]]]:
    """Return file and write-ahead log of a killed instance, and what they say with and without the last commit."""
    path = tmp_path / "live" / "ledger.sqlite3"
    path.parent.mkdir()
    with Ledger(path) as ledger:
        fill(ledger, subnets=3)
        before = content(ledger)
        ledger.note_shown(6)
        yield path.read_bytes(), path.with_name(path.name + "-wal").read_bytes(), [content(ledger), before]


def start(path: Path) -> dict[str, Any] | None:
    """Check and read a ledger as a start does; return None if it is set aside."""
    return None if set_aside_if_broken(path, "broken") else read(path)


@pytest.mark.parametrize("seed", sample(range(4)))
def test_no_flip_in_the_write_ahead_log_loses_commits_unnoticed(
    path: Path, killed: tuple[bytes, bytes, list[dict[str, Any]]], seed: int
) -> None:
    """A flip in the last commit alone looks as if it was cut short; that commit is lost as a whole, or not at all."""
    data, log, right = killed
    found: Counter[str] = Counter()
    for place, bit in flips(len(log), 20, seed):
        path.write_bytes(data)
        path.with_name(path.name + "-wal").write_bytes(flip(log, place, bit))
        found[outcome(lambda: start(path), *right)] += 1

    assert {RIGHT, DAMAGE} >= set(found)
    assert 20 == sum(found.values())


def test_a_log_that_is_not_damaged_is_applied(path: Path, killed: tuple[bytes, bytes, list[dict[str, Any]]]) -> None:
    """The kill of an instance loses nothing."""
    data, log, right = killed
    path.write_bytes(data)
    path.with_name(path.name + "-wal").write_bytes(log)

    assert RIGHT == outcome(lambda: start(path), right[0])


def test_a_log_whose_last_commit_was_cut_short_is_no_damage(
    path: Path, killed: tuple[bytes, bytes, list[dict[str, Any]]]
) -> None:
    """Wherever the process or the machine stopped in it; also inside of the log's first commit."""
    data, log, right = killed
    frame = 24 + 4096
    for length in (1, 30, frame - 10):
        path.write_bytes(data)
        path.with_name(path.name + "-wal").write_bytes(log[:-length])
        assert RIGHT == outcome(lambda: start(path), right[1]), length


def test_a_log_in_a_file_with_an_older_log_is_no_damage(tmp_path: Path, path: Path) -> None:
    """SQLite begins anew at the front of the file, and leaves the rest as it is."""
    live = tmp_path / "live" / "ledger.sqlite3"
    live.parent.mkdir()
    with Ledger(live) as ledger:
        fill(ledger, subnets=3)
        change(live, "PRAGMA wal_checkpoint(RESTART)")
        ledger.note_shown(6)
        path.write_bytes(live.read_bytes())
        path.with_name(path.name + "-wal").write_bytes(live.with_name(live.name + "-wal").read_bytes())

        assert RIGHT == outcome(lambda: start(path), content(ledger))
