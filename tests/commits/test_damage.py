"""Damage of a ledger, told from other errors."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.damage import DamagedLedger, DamageNote, LedgerError, is_damage
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import SERIES, SHARD, change, claim, commit, make_delta

ERRORS = {
    sqlite3.DatabaseError("database disk image is malformed"): True,
    sqlite3.DatabaseError("file is not a database"): True,
    DamagedLedger("a row of the table traffic does not match its checksum"): True,
    sqlite3.OperationalError("no such table: traffic"): True,
    sqlite3.OperationalError("no such column: flows"): True,
    sqlite3.OperationalError("unsupported file format"): True,
    sqlite3.OperationalError("integer overflow"): True,
    sqlite3.OperationalError("Could not decode to UTF-8 column 'peer' with text 'interne\ufffd'"): True,
    sqlite3.OperationalError("JSON cannot hold BLOB values"): True,
    sqlite3.OperationalError("no such function: json_group_array"): False,
    sqlite3.OperationalError("database or disk is full"): False,
    sqlite3.OperationalError("database is locked"): False,
    sqlite3.OperationalError("database table is locked: traffic"): False,
    sqlite3.OperationalError("disk I/O error"): False,
    sqlite3.OperationalError("unable to open database file"): False,
    sqlite3.OperationalError("attempt to write a readonly database"): False,
    sqlite3.IntegrityError("UNIQUE constraint failed"): False,
    sqlite3.ProgrammingError("Cannot operate on a closed database."): False,
    OSError("No space left on device"): False,
}


@pytest.mark.parametrize(("error", "expected"), ERRORS.items(), ids=map(str, ERRORS))
def test_damage_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    """What the world does to the file is no damage; anything else that SQLite finds in the file is."""
    assert expected == is_damage(error)


def test_the_first_damage_is_noted() -> None:
    """Other errors are not."""
    note = DamageNote()
    first = DamagedLedger("first")

    for error in (OSError("no damage"), first, DamagedLedger("second")):
        note.take(error)

    assert first is note.error


def test_a_fold_does_not_add_to_a_changed_row(path: Path) -> None:
    """The new checksum would cover the damage."""
    with Ledger(path) as ledger:
        held = claim(ledger)
        commit(ledger, held, "5")
        change(path, "UPDATE traffic SET flows = flows + 1")
        ledger.prepare(held, Position("6"), make_delta().snapshot())

        with pytest.raises(LedgerError) as raised:
            ledger.fold(held)

        assert is_damage(raised.value)
        with pytest.raises(DamagedLedger):
            ledger.totals()


def test_a_row_that_has_vanished_is_noticed_after_the_series_was_counted_again(path: Path) -> None:
    """The new row starts at the delta, and looks right on its own."""
    with Ledger(path) as ledger:
        held = claim(ledger)
        commit(ledger, held, "5")
        change(path, "DELETE FROM traffic")
        commit(ledger, held, "6")

        with pytest.raises(DamagedLedger, match="rows of the table traffic are missing, or there are too many"):
            ledger.totals()


def test_a_prepared_commit_whose_delta_has_vanished_is_damage(path: Path) -> None:
    """Its flows would be lost."""
    with Ledger(path) as ledger:
        ledger.prepare(claim(ledger), Position("5"), make_delta().snapshot())
        ledger.begin_generation()
        (left,) = ledger.left_commits()
        change(path, "DELETE FROM deltas")

        with pytest.raises(DamagedLedger, match=f"the prepared delta of {SHARD} is missing"):
            ledger.settle(left, Verdict.FOLD)


def test_a_series_that_a_delta_has_twice_is_added_twice(ledger: Ledger) -> None:
    """The checksums count it once."""
    held = claim(ledger)
    snapshot = make_delta().snapshot()
    snapshot.traffic = [(SERIES, (1, 2, 3))] * 2
    for upto in ("5", "6"):
        ledger.prepare(held, Position(upto), snapshot)
        ledger.fold(held)

    assert [(SERIES, 4, 8, 12, 1)] == ledger.totals().traffic
    ledger.verify()
