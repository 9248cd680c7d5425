"""A checkpoint that is written long after its holder is gone: whenever it arrives, nothing is lost or counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import LeaseRow
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.registrar import RENEWAL_PAUSE, Registrar
from tests.support.lease_fakes import HERE, FakeLeases
from tests.support.ledgers import SHARD, make_delta, sums


class SlowLeases(FakeLeases):
    """A lease table that calls `on_step` before and after each request, as well as the test does."""

    def __init__(self) -> None:
        super().__init__()
        self.on_step: Callable[[], None] = lambda: None

    def read_row(self, shard_id: str) -> LeaseRow | None:
        self.on_step()
        row = super().read_row(shard_id)
        self.on_step()
        return row

    def _write(self, shard_id: str, row: LeaseRow, claims: str) -> bool:
        self.on_step()
        written = super()._write(shard_id, row, claims)
        self.on_step()
        return written

    def checkpoint(self, upto: Position, counter: int) -> bool:
        """Checkpoint as the KCL does: on the condition of the counter that it knew when it sent the request."""
        row = self.rows[SHARD]
        if row.counter != counter:
            return False
        self.rows[SHARD] = row._replace(checkpoint=upto, counter=counter + 1)
        return True


class Shard:
    """A shard with one flow in each record, whose sequence numbers are 1, 2, 3 and so on."""

    def __init__(self, path: Path, ledger: Ledger) -> None:
        self.ledger = ledger
        self.generation = ledger.begin_generation()
        self.leases = SlowLeases()
        self.leases.assign(SHARD, HERE, Position("0"))
        self.registrar = Registrar(self.leases, lambda: Ledger(path), HERE, DamageNote(), lambda: True, self._pause)

    def _pause(self, seconds: float) -> None:
        self.leases.on_step()
        if seconds == RENEWAL_PAUSE:
            self.leases.renew()
        self.leases.on_step()

    def begin(self, at: Position) -> Claim | None:
        """Start a processor that the KCL initialises at this checkpoint."""
        claim = self.ledger.claim(SHARD, self.generation, at)
        permit = self.registrar.register(Hello(SHARD, 1, claim.token, *at))
        return claim if permit is not None else None

    def prepare(self, claim: Claim, begins_at: Position, upto: Position) -> int:
        """Prepare all records up to a position, and return the counter of the checkpoint's request."""
        self.ledger.prepare(claim, upto, make_delta(int(upto.sequence) - int(begins_at.sequence)).snapshot())
        return self.leases.rows[SHARD].counter

    def commit(self, claim: Claim, begins_at: Position, upto: Position) -> bool:
        """Commit all records up to a position; return whether the checkpoint was written."""
        written = self.leases.checkpoint(upto, self.prepare(claim, begins_at, upto))
        if written:
            self.ledger.fold(claim)
        else:
            self.ledger.abandon(claim)
        return written


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        yield Shard(path, ledger)


STEPS = range(26)
"""Enough for all requests of two later holders, and a step that never comes."""


@pytest.mark.parametrize("commits", [True, False], ids=["the next holder commits", "the next holder dies"])
@pytest.mark.parametrize("arrival", STEPS)
def test_a_late_checkpoint_changes_no_count(shard: Shard, arrival: int, commits: bool) -> None:
    """The KCL gave the lease up and found it again, with the same counter, while the request was under way."""
    steps = iter(range(len(STEPS)))
    late: list[tuple[Position, int]] = []

    def arrive() -> None:
        if next(steps, None) == arrival:
            shard.leases.checkpoint(*late.pop())

    first = shard.begin(Position("0"))
    assert first is not None
    late.append((Position("200"), shard.prepare(first, Position("0"), Position("200"))))
    shard.ledger.abandon(first)
    shard.leases.on_step = arrive
    second_at = Position("0")
    second = shard.begin(second_at)
    if second is not None and commits:
        shard.leases.on_step()
        assert shard.commit(second, second_at, Position("250"))
    shard.leases.on_step()

    third_at = shard.leases.rows[SHARD].checkpoint
    third = shard.begin(third_at)
    if third is None:
        third_at = shard.leases.rows[SHARD].checkpoint
        third = shard.begin(third_at)
    assert third is not None
    assert shard.commit(third, third_at, Position("300"))

    assert [(300, 3000, 30000)] == sums(shard.ledger)
    assert [] == shard.ledger.left_commits()


def test_the_next_holder_waits_for_a_renewal(shard: Shard) -> None:
    """Only then no earlier request can meet its condition; the first holder of all has nothing to wait for."""
    first = shard.begin(Position("0"))
    assert first is not None
    before = shard.leases.rows[SHARD]
    assert 1 == before.counter

    assert shard.begin(Position("0")) is not None

    assert not shard.leases.checkpoint(Position("9"), before.counter)


def test_a_lease_that_moves_away_during_the_wait_is_not_claimed(shard: Shard) -> None:
    """The new owner's KCL adds to the counter, too."""
    assert shard.begin(Position("0")) is not None
    claims = shard.leases.rows[SHARD].claims
    steps = iter(range(100))
    shard.leases.on_step = lambda: shard.leases.assign(SHARD, "elsewhere", Position("0")) if next(steps) == 2 else None

    assert shard.begin(Position("0")) is None
    assert claims == shard.leases.rows[SHARD].claims
