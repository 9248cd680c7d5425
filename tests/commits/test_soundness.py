"""The check at a start: which ledgers are damaged, and what is kept of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kcl_flowlog.commits import schema
from kcl_flowlog.commits.database import connect
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import ConfigError
from tests.support.bit_flips import fill
from tests.support.ledgers import change, claim, commit, make_delta


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

    found = set_aside_if_broken(path, "broken")

    assert found is not None
    aside, _ = found
    assert path.with_name("ledger.sqlite3.broken") == aside
    assert damaged[:16] == aside.read_bytes()[:16]
    assert not path.exists()
    with Ledger(path) as ledger:
        assert [] == ledger.totals().traffic
        assert [] == ledger.left_commits()


# What is changed in the file, as SQL, and what the log will say of it.
CHANGES = {
    "UPDATE traffic SET flows = flows + 1": "a row of the table traffic does not match its checksum",
    "UPDATE histograms SET body = X'00'": "a row of the table histograms does not match its checksum",
    "UPDATE dead_letters SET body = X'00'": "a row of the table dead_letters does not match its checksum",
    "UPDATE fingerprints SET body = X'00'": "a row of the table fingerprints does not match its checksum",
    "UPDATE prepared SET abandoned = 1": "a row of the table prepared does not match its checksum",
    "UPDATE deltas SET body = X'00'": "a row of the table deltas does not match its checksum",
    "UPDATE holders SET generation = 9": "a row of the table holders does not match its checksum",
    "UPDATE meta SET value = 9": "a row of the table meta does not match its checksum",
    "DELETE FROM traffic": "rows of the table traffic are missing, or there are too many",
    "DELETE FROM rejected_ports": "rows of the table rejected_ports are missing, or there are too many",
    "DELETE FROM counts": "rows of the table counts are missing, or there are too many",
    "DELETE FROM histograms": "rows of the table histograms are missing, or there are too many",
    "DELETE FROM prepared": "rows of the table prepared are missing, or there are too many",
    "DELETE FROM deltas": "rows of the table deltas are missing, or there are too many",
    "DELETE FROM holders": "rows of the table holders are missing, or there are too many",
    "DELETE FROM meta WHERE name = 'commits'": "rows of the table meta are missing, or there are too many",
    "DELETE FROM fingerprints": "rows of the table fingerprints are missing, or there are too many",
    "DELETE FROM dead_letters": "rows of the table dead_letters are missing, or there are too many",
    "DELETE FROM checksums": "rows of the table traffic are missing, or there are too many",
    "ALTER TABLE traffic RENAME COLUMN flows TO glows": "the file does not have the tables of its version",
    "DROP TABLE counts": "the file does not have the tables of its version",
    "PRAGMA user_version = 0": "table meta already exists",
    "PRAGMA user_version = 1": "the file does not have the tables of its version",
    "PRAGMA user_version = 66": "the file does not have the version that it says",
}


@pytest.mark.parametrize("statement", CHANGES)
def test_what_sqlite_finds_in_order_is_checked_by_its_checksums(path: Path, statement: str) -> None:
    """Each table, each kind of change."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=2)
    change(path, statement)

    found = set_aside_if_broken(path, "broken")

    assert found is not None
    assert CHANGES[statement] == found[1]


def test_a_ledger_to_which_a_user_has_added_something_is_sound(path: Path) -> None:
    """Such as an index, or what ANALYZE leaves."""
    with Ledger(path) as ledger:
        fill(ledger, subnets=2)
    for statement in ("CREATE INDEX mine ON traffic (bytes)", "ANALYZE", "CREATE TABLE mine_too (a)"):
        change(path, statement)

    assert set_aside_if_broken(path, "broken") is None


def test_damage_that_is_older_than_the_checksums_is_found(path: Path) -> None:
    """A file of version 1 had none; they would cover what cannot be read."""
    with closing(connect(path, 1.0)) as db:
        schema.migrate(db, schema.STEPS[:1])
        db.execute("INSERT INTO histograms VALUES ('event_delay', X'00')")

    found = set_aside_if_broken(path, "broken")

    assert found is not None
    assert found[1].startswith("a Histogram can't be read: ")


def test_a_file_that_sqlite_would_only_read_is_damaged(path: Path) -> None:
    """Its header names a version of the format that does not exist; it is not a mistake of permissions."""
    Ledger(path).close()
    content = bytearray(path.read_bytes())
    content[18] ^= 64
    path.write_bytes(content)

    found = set_aside_if_broken(path, "broken")

    assert found is not None


def test_a_ledger_of_a_newer_version_stays(path: Path) -> None:
    """That version can go on with it."""
    Ledger(path).close()
    with closing(connect(path, 1.0)) as db:
        schema.migrate(db, (*schema.STEPS, ("CREATE TABLE newer (a)",)))

    with pytest.raises(ConfigError, match="a newer version"):
        set_aside_if_broken(path, "broken")

    assert path.exists()


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
