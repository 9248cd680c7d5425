"""A state directory that an earlier version left works unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kcl_flowlog.commits.claims import LeaseRow, Verdict, verdict
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.processor.in_hand import RecordInHand
from tests.support.earlier_states import EarlierState
from tests.support.ledgers import as_now, left_commits, totals

EARLIER = EarlierState(1)
NEW_SERIES = Traffic("subnet-new", "egress", "accept", "tcp", "internet")
EXPECTED = EARLIER.expected


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    """Return the state directory, its ledger restored from the dump."""
    EARLIER.lay(tmp_path / "state")
    with StateDirectory(tmp_path / "state") as directory:
        yield directory


@pytest.fixture
def ledger(state: StateDirectory) -> Iterator[Ledger]:
    with Ledger(state.ledger) as opened:
        yield opened


def test_the_totals_are_the_same(ledger: Ledger) -> None:
    """Every total, every birth, and how far pages have shown them."""
    assert as_now(EXPECTED["totals"]) == totals(ledger)
    assert EXPECTED["newest_birth"] == ledger.totals().newest_birth()
    assert EXPECTED["shown"] == ledger.shown()


def test_the_ledger_is_sound(state: StateDirectory, ledger: Ledger) -> None:
    """A start does not set it aside."""
    assert set_aside_if_broken(state.ledger, "broken") is None


def test_fingerprints_and_dead_letters_are_the_same(ledger: Ledger) -> None:
    """Copies of envelopes counted by the earlier version are recognised."""
    assert EXPECTED["fingerprints"] == {
        shard_id: [fingerprint.hex() for fingerprint in ledger.fingerprints(shard_id)]
        for shard_id in EXPECTED["fingerprints"]
    }
    assert EXPECTED["dead_letters"] == [
        [number, msgspec.to_builtins(letter)] for number, letter in ledger.dead_letters()
    ]


def test_left_commits_are_decided_and_settled_alike(ledger: Ledger) -> None:
    """The claims in the lease rows, which the earlier version wrote, decide as they did there."""
    rows = {
        shard_id: LeaseRow(owner, Position(*checkpoint), claims)
        for shard_id, (owner, checkpoint, claims) in EXPECTED["lease_rows"].items()
    }
    assert EXPECTED["left_commits_before"] == left_commits(ledger)
    assert EXPECTED["generation"] == ledger.begin_generation()
    assert EXPECTED["left_commits"] == left_commits(ledger)

    for left in ledger.left_commits():
        decided = verdict(rows[left.shard_id], left.token, left.upto)
        assert EXPECTED["verdicts"][left.shard_id] == (decided.value if decided is not None else None)
        settled = ledger.settle(left, decided or Verdict.UNDECIDED)
        assert settled is not None
        assert EXPECTED["settled"][left.shard_id] == list(settled)

    assert as_now(EXPECTED["totals_after"]) == totals(ledger)
    assert [] == ledger.left_commits()


def test_counting_goes_on_from_there(ledger: Ledger) -> None:
    """The next commit gets the next birth, and adds to the old totals."""
    claim = ledger.claim("shardId-000000000000", ledger.begin_generation())
    delta = Delta()
    delta.add_flow(NEW_SERIES, 10, 1000)
    delta.add_flow(Traffic(*EXPECTED["totals"]["traffic"][0][0]), 10, 1000)

    ledger.prepare(claim, Position("900"), delta.snapshot())
    ledger.fold(claim)

    first, *others = as_now(EXPECTED["totals"])["traffic"]
    series, flows, packets, octets, birth = first
    assert (
        sorted(
            [
                [series, flows + 1, packets + 10, octets + 1000, birth],
                *others,
                [list(NEW_SERIES), 1, 10, 1000, EXPECTED["newest_birth"] + 1],
            ]
        )
        == totals(ledger)["traffic"]
    )


def test_the_identity_is_the_same(state: StateDirectory) -> None:
    """With its worker id the instance regains its leases; with its first start it begins where it would have."""
    assert EXPECTED["worker_id"] == state.worker_id()
    assert str(EXPECTED["first_start"]) == state.earlier_first_start()


def test_records_in_hand_are_the_same(state: StateDirectory) -> None:
    """A record that killed a processor of the earlier version is suspect."""
    assert EXPECTED["suspects"] == {
        shard_id: list(suspect) if (suspect := RecordInHand(state.attempts / shard_id).suspect) else None
        for shard_id in EXPECTED["suspects"]
    }


def test_the_inventory_is_the_same(state: StateDirectory) -> None:
    """Records are placed at once, before EC2 answers."""
    loaded = json.loads(subnets.dump(subnets.load(state.inventory.read_bytes())))

    for name, entries in EXPECTED["inventory"].items():
        if isinstance(entries, list):
            # A newer version may know more fields of an entry.
            assert entries == [
                {field: entry[field] for field in old} for old, entry in zip(entries, loaded[name], strict=True)
            ]
        else:
            assert entries == loaded[name]
