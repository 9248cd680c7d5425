"""A ledger that the last version with schema 4 wrote, which did not keep who sent what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.commits import schema, who_tables
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from tests.support.earlier_states import EarlierState
from tests.support.ledgers import content, fail_to_migrate, left_commits, restore

EARLIER = EarlierState(4)
EXPECTED = EARLIER.expected


@pytest.fixture
def old(path: Path) -> Path:
    """Return the path of the ledger as it was written."""
    restore(path, EARLIER.dump)
    return path


@pytest.fixture
def ledger(old: Path) -> Iterator[Ledger]:
    """Return it as this version opens it."""
    with Ledger(old) as opened:
        yield opened


def traffic(ledger: Ledger) -> list[Any]:
    return sorted([list(total.series), *total[1:]] for total in ledger.totals().traffic)


def test_every_total_is_the_same(old: Path, ledger: Ledger) -> None:
    """Nobody is known to have sent anything."""
    totals = ledger.totals()
    assert EXPECTED["traffic"] == traffic(ledger)
    assert EXPECTED["rejected_ports"] == [[list(total.series), *total[1:]] for total in totals.rejected_ports]
    assert EXPECTED["counts"] == sorted([*key, number] for key, number in totals.counts.items())
    with ledger.begin() as db:
        assert [] == list(who_tables.verify(db))
    assert set_aside_if_broken(old, "broken") is None


def test_what_was_prepared_before_is_folded_once(ledger: Ledger) -> None:
    """A prepared delta that tells nothing of who sent what is read as it is."""
    assert EXPECTED["left_commits"] == left_commits(ledger)
    for left in ledger.left_commits():
        ledger.settle(left, Verdict(EXPECTED["verdicts"][left.shard_id]))

    assert EXPECTED["traffic_after"] == traffic(ledger)
    assert [] == ledger.left_commits()
    with ledger.begin() as db:
        assert [] == who_tables.added(db)


@pytest.mark.parametrize("place", range(len(schema.STEPS[4]) + 1))
def test_a_migration_that_dies_anywhere_changes_nothing(old: Path, place: int) -> None:
    """The next start migrates from the beginning."""
    before = content(old)

    fail_to_migrate(old, 4, place)

    assert before == content(old)
    with Ledger(old) as again:
        assert EXPECTED["traffic"] == traffic(again)
