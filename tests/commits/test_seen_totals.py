"""Reading the totals again and again: the same as reading them once, and what has not changed is the same object."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.commits.checked_table import CheckedTable, SeenRows
from kcl_flowlog.commits.damage import LedgerError, is_damage
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.totals import SeenTotals
from kcl_flowlog.counting.delta import Delta, Traffic
from tests.support.examples import examples
from tests.support.ledgers import change, claim, commit

TABLE = CheckedTable("things", ("a", "b"), ("number",))
SCHEMA = (
    "CREATE TABLE things (a TEXT, b TEXT, number INTEGER, checksum INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "CREATE TABLE checksums (name TEXT PRIMARY KEY, number INTEGER, total INTEGER)",
    "INSERT INTO checksums VALUES ('things', 0, 0)",
)


class Thing(NamedTuple):
    """What is made of a row."""

    key: tuple[str, str]
    number: int


keys = st.tuples(st.sampled_from("abc"), st.sampled_from('abé\U0001f600\uffff"\\\n\x00\x7f\u2028],'))
steps = st.lists(
    st.tuples(st.dictionaries(keys, st.integers(0, 2), max_size=6), st.sampled_from(["", "a", "b", "c"])), max_size=6
)


@given(steps)
@settings(max_examples=examples(50))
def test_any_history_reads_as_if_for_the_first_time(history: list[tuple[dict[tuple[str, str], int], str]]) -> None:
    """Rows are added, changed and removed between reads."""
    seen, rows = SeenRows(tuple, Thing), list[Thing]()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for statement in SCHEMA:
            db.execute(statement)
        for added, removed in history:
            before = {row.key: row for row in rows}
            TABLE.put(db, *((*key, number) for key, number in added.items()))
            TABLE.delete(db, "WHERE a = ?", removed)
            rows = TABLE.seen_rows(db, seen)

            assert [Thing((a, b), number) for a, b, number in sorted(TABLE.all_rows(db))] == rows
            unchanged = [row for row in rows if before.get(row.key) == row]
            assert all(row is before[row.key] for row in unchanged)


def series_of(*subnets: str) -> Delta:
    """Return a delta with a flow in each subnet."""
    delta = Delta()
    for subnet in subnets:
        delta.add_flow(Traffic(subnet, "egress", "accept", "tcp", "internet"), 1, 1)
    delta.add("events", "counted", len(subnets))
    return delta


def test_a_commit_changes_only_its_series(ledger: Ledger) -> None:
    """The totals of the other series are the same objects as before."""
    held, seen = claim(ledger), SeenTotals()
    commit(ledger, held, "5", series_of("a", "b", "c"))
    first = ledger.totals(seen)
    commit(ledger, held, "6", series_of("b", "bb"))
    second = ledger.totals(seen)

    assert ["a", "b", "bb", "c"] == [total.series.subnet_id for total in second.traffic]
    assert [True, False] == [second.traffic[place] is first.traffic[place] for place in range(2)]
    assert second.traffic[3] is first.traffic[2]
    assert [1, 1, 1] == [total.flows for total in first.traffic]
    assert ledger.totals() == second


def nested_lists(depth: int) -> str:
    """Return a list of a list, and so on, in the binary form of JSON that newer versions of SQLite have."""
    body = b""
    for _ in range(depth):
        body = b"\xeb" + len(body).to_bytes(4, "big") + body
    return f"x'{body.hex()}'"


LONG_NUMBER = f"x'c3ff{'39' * 255}'"


DAMAGES = {
    "a total": "UPDATE traffic SET flows = flows + 1 WHERE subnet_id = 'a'",
    "a total that is no integer": "UPDATE traffic SET flows = flows + 0.5 WHERE subnet_id = 'a'",
    "when it was counted": "UPDATE traffic SET counted_at = counted_at + 1 WHERE subnet_id = 'a'",
    "a label": "UPDATE traffic SET direction = 'ingress' WHERE subnet_id = 'a'",
    "a label of bytes": "UPDATE traffic SET direction = CAST(direction AS BLOB) WHERE subnet_id = 'a'",
    # Newer versions of SQLite take these for JSON.
    "a label of bytes that are a long number": f"UPDATE traffic SET direction = {LONG_NUMBER} WHERE subnet_id = 'a'",
    "a label of bytes that are lists": f"UPDATE traffic SET direction = {nested_lists(1500)} WHERE subnet_id = 'a'",
    "a label that is not UTF-8": "UPDATE traffic SET direction = CAST(x'ff' AS TEXT) WHERE subnet_id = 'a'",
    "a subnet": "UPDATE traffic SET subnet_id = 'aa' WHERE subnet_id = 'a'",
    "a subnet with the name of another": "UPDATE traffic SET subnet_id = 'b', peer = 'x' WHERE subnet_id = 'a'",
    "a subnet of bytes": "UPDATE traffic SET subnet_id = CAST('a' AS BLOB) WHERE subnet_id = 'a'",
    "a subnet that is not UTF-8": "UPDATE traffic SET subnet_id = CAST(x'ff' AS TEXT) WHERE subnet_id = 'a'",
    "a checksum": "UPDATE traffic SET checksum = checksum + 1 WHERE subnet_id = 'a'",
    "a missing row": "DELETE FROM traffic WHERE subnet_id = 'a'",
    "a row twice": "INSERT INTO traffic SELECT 'c', direction, action, protocol, peer, path, interface_type, flows,"
    " packets, bytes, birth, counted_at, checksum FROM traffic WHERE subnet_id = 'a'",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_damage_is_found_in_a_series_that_was_read_before(path: Path, ledger: Ledger, damage: str) -> None:
    """Each scrape reads every row, and verifies those that are not as they were. A failed read spoils nothing."""
    held, seen = claim(ledger), SeenTotals()
    commit(ledger, held, "5", series_of("a", "b"))
    before = ledger.totals(seen)
    change(path, "CREATE TABLE kept AS SELECT * FROM traffic")
    change(path, damage)

    with pytest.raises(LedgerError) as raised:
        ledger.totals(seen)

    assert is_damage(raised.value)
    change(path, "DELETE FROM traffic")
    change(path, "INSERT INTO traffic SELECT * FROM kept")
    assert before == ledger.totals(seen)
