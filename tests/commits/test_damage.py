"""Damaged ledgers: how they are recognised, and what is kept of them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kcl_flowlog.commits.damage import LedgerError, is_damage, set_aside_if_broken
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import claim, commit, make_delta


def overwrite_table(path: Path, table: str) -> None:
    """Overwrite the first page of a table of a closed ledger."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)


def names_beside(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


def test_damage_is_told_from_other_errors(path: Path) -> None:
    """An overwritten page shows as damage in the next step that reads it; a full disk does not."""
    with Ledger(path) as ledger:
        commit(ledger, claim(ledger))
    overwrite_table(path, "traffic")

    with Ledger(path) as ledger:
        held = claim(ledger)
        ledger.prepare(held, Position("6"), make_delta().snapshot())
        with pytest.raises(LedgerError) as raised:
            ledger.fold(held)

    assert is_damage(raised.value)
    assert not is_damage(sqlite3.OperationalError("database or disk is full"))
    assert not is_damage(sqlite3.IntegrityError("UNIQUE constraint failed"))
    assert not is_damage(OSError("No space left on device"))


def test_a_sound_ledger_stays(ledger: Ledger, path: Path) -> None:
    """Also while a processor writes to it."""
    ledger.prepare(claim(ledger), Position("5"), make_delta().snapshot())

    assert set_aside_if_broken(path, "broken") is None

    assert path.exists()
    assert 0 == len(list(path.parent.glob("*broken*")))


def test_a_missing_ledger_is_not_damaged(path: Path) -> None:
    """The first start creates it."""
    assert set_aside_if_broken(path, "broken") is None
    assert not path.exists()


@pytest.mark.parametrize("damage", ["no database", "zeros in the middle", "cut short"])
def test_a_damaged_ledger_is_kept_aside(path: Path, damage: str) -> None:
    """A new one begins empty, and the old content is kept."""
    with Ledger(path) as ledger:
        held = claim(ledger)
        for number in range(300):
            ledger.prepare(ledger.claim(f"shard-{number}", held.generation), Position("5"), make_delta().snapshot())
    content = path.read_bytes()
    damaged = {
        "no database": b"What is this?" * 1000,
        "zeros in the middle": content[:4096] + bytes(len(content) - 8192) + content[-4096:],
        "cut short": content[: len(content) // 2],
    }[damage]
    path.write_bytes(damaged)

    aside = set_aside_if_broken(path, "broken")

    assert path.with_name("ledger.sqlite3.broken") == aside
    assert damaged[:16] == aside.read_bytes()[:16]
    assert not path.exists()
    with Ledger(path) as ledger:
        assert [] == ledger.totals().traffic
        assert [] == ledger.left_commits()


def test_companions_of_a_damaged_ledger_go_with_it(path: Path) -> None:
    """SQLite would apply an old write-ahead log to the new file."""
    with Ledger(path) as ledger:
        commit(ledger, claim(ledger))
    overwrite_table(path, "traffic")
    # An open connection, here of a process that is not gone yet, keeps both files.
    with Ledger(path) as left_over:
        claim(left_over)
        assert {"ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"} == names_beside(path)

        assert set_aside_if_broken(path, "broken-1") is not None

        assert {"ledger.sqlite3.broken-1", "ledger.sqlite3.broken-1-wal", "ledger.sqlite3.broken-1-shm"} == (
            names_beside(path)
        )


def test_a_ledger_that_cannot_be_opened_is_not_damaged(tmp_path: Path) -> None:
    """Renaming it would not help; the error says why."""
    directory = tmp_path / "ledger.sqlite3"
    directory.mkdir()

    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        set_aside_if_broken(directory, "broken")

    assert directory.exists()
