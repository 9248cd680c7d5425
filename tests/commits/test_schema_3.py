"""A ledger that the last version with schema 3 wrote, which kept neither path nor interface_type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kcl_flowlog.commits import schema
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.damage import DamagedLedger
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from tests.support.earlier_states import EarlierState
from tests.support.ledgers import as_now, change, content, fail_to_migrate, left_commits, restore, totals

EARLIER = EarlierState(3)
EXPECTED = EARLIER.expected


@pytest.fixture
def old(path: Path) -> Path:
    """Return the path of the ledger as it was written."""
    restore(path, EARLIER.dump)
    return path


@pytest.fixture
def ledger(old: Path) -> Iterator[Ledger]:
    """Return it as this version opens it."""
    with Ledger(old, bounds=SubnetBounds(*EXPECTED["bounds"])) as opened:
        yield opened


def test_every_total_is_the_same(ledger: Ledger) -> None:
    """The new labels are `unknown`; births, counts, `other` and what pages have shown stay."""
    assert as_now(EXPECTED["totals"]) == totals(ledger)
    assert (EXPECTED["newest_birth"], EXPECTED["shown"]) == (ledger.totals().newest_birth(), ledger.shown())
    assert EXPECTED["fingerprints"] == {
        shard_id: [body.hex() for body in ledger.fingerprints(shard_id)] for shard_id in EXPECTED["fingerprints"]
    }
    assert EXPECTED["dead_letters"] == [[number, msgspec.to_builtins(it)] for number, it in ledger.dead_letters()]


def test_it_is_sound(old: Path, ledger: Ledger) -> None:
    """All rows have their checksums; a start does not set the file aside."""
    ledger.verify()
    assert set_aside_if_broken(old, "broken") is None


def test_what_was_prepared_before_is_folded_once(ledger: Ledger) -> None:
    """A prepared delta without the new labels is read as it is, and decided as the old version decided it."""
    assert EXPECTED["left_commits"] == left_commits(ledger)

    for left in ledger.left_commits():
        settled = ledger.settle(left, Verdict(EXPECTED["verdicts"][left.shard_id]))
        assert settled is not None
        assert EXPECTED["settled"][left.shard_id] == list(settled)

    assert as_now(EXPECTED["totals_after"]) == totals(ledger)
    assert [] == ledger.left_commits()


def test_new_labels_begin_new_totals(ledger: Ledger) -> None:
    """A total that has them stands beside the old total of the subnet, which it never takes over."""
    before = totals(ledger)["traffic"]
    series = Traffic(*EXPECTED["totals"]["traffic"][-1][0])
    known = series._replace(path="internet_gateway", interface_type="lambda")
    claim = ledger.claim("shardId-000000000000", ledger.begin_generation())
    delta = Delta()
    delta.add_flow(series, 1, 10)
    delta.add_flow(known, 2, 20)

    ledger.prepare(claim, Position("900"), delta.snapshot())
    ledger.fold(claim)

    *others, (old_series, flows, packets, octets, birth) = before
    expected = [*others, [old_series, flows + 1, packets + 1, octets + 10, birth]]
    assert sorted([*expected, [list(known), 1, 2, 20, EXPECTED["newest_birth"] + 1]]) == totals(ledger)["traffic"]


@pytest.mark.parametrize("place", range(len(schema.STEPS[3]) + 1))
def test_a_migration_that_dies_anywhere_changes_nothing(old: Path, place: int) -> None:
    """The next start migrates from the beginning, and nothing is lost or there twice."""
    before = content(old)

    fail_to_migrate(old, 3, place)

    assert before == content(old)
    with Ledger(old) as again:
        assert as_now(EXPECTED["totals"]) == totals(again)


@pytest.mark.parametrize(
    ("statement", "damage"),
    [
        ("UPDATE traffic SET bytes = bytes + 1 WHERE subnet_id = 'other'", "does not match its checksum"),
        ("DELETE FROM traffic WHERE subnet_id = 'other'", "rows of the table traffic are missing"),
    ],
)
def test_a_migration_does_not_hide_damage(old: Path, statement: str, damage: str) -> None:
    """New checksums would make a wrong total look right; a start sets the old file aside as it is."""
    change(old, statement)
    before = content(old)

    with pytest.raises(DamagedLedger, match=damage):
        Ledger(old)

    assert before == content(old)
    aside = set_aside_if_broken(old, "broken")
    assert aside is not None
    assert damage in aside[1]
    assert before == content(aside[0])
