"""Claims reach the lease table and settle commits in doubt, while other processors and instances come and go."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from kcl_flowlog.commits.claims import Care, LeaseRow, Permit, digest, has_claim, with_claim
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.deaths import DEATHS
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.registrar import RENEWAL_PAUSE, Registrar
from tests.support.lease_fakes import ELSEWHERE, HERE, START, FakeLeases

SHARD, OTHER_SHARD = "shardId-000000000000", "shardId-000000000001"
SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
UPTO = Position("5")
DISK_FULL = sqlite3.OperationalError("database or disk is full")
THROTTLED = botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")


class World:
    """An instance with its ledger, and the lease table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger(path)
        self.generation = self.ledger.begin_generation()
        self.leases = FakeLeases()
        self.leases.assign(SHARD, HERE, START)
        self.pauses: list[float] = []
        self.during_pauses: list[Callable[[], object]] = []
        """What happens in each pause."""
        self.opened: list[Ledger] = []
        self.damage = DamageNote()
        self.start_checks: list[Callable[[], bool]] = []
        """What the next questions find whether the start is current; later ones find that it is."""
        self.registrar = Registrar(self.leases, self._open_ledger, HERE, self.damage, self._is_current, self._pause)

    def _is_current(self) -> bool:
        return self.start_checks.pop(0)() if self.start_checks else True

    def _open_ledger(self) -> Ledger:
        self.opened.append(Ledger(self.path))
        return self.opened[-1]

    def _pause(self, seconds: float) -> None:
        if seconds == RENEWAL_PAUSE:
            self.leases.renew()
            return
        self.pauses.append(seconds)
        self.during_pauses.pop(0)()

    def claim(self, shard_id: str = SHARD) -> Claim:
        return self.ledger.claim(shard_id, self.generation)

    def hello(self, claim: Claim, at: Position = START) -> Hello:
        return Hello(claim.shard_id, 1, claim.token, *at)

    def holder(self, at: Position = START, shard_id: str = SHARD) -> Claim:
        """Return a registered claim."""
        claim = self.claim(shard_id)
        assert self.registrar.register(self.hello(claim, at))
        return claim

    def leave(self, claim: Claim) -> None:
        """Prepare a commit of one flow, and end before its outcome is known."""
        delta = Delta()
        delta.add_flow(SERIES, 10, 100)
        delta.add(counts.EVENTS, "counted")
        self.ledger.prepare(claim, UPTO, delta.snapshot())
        self.ledger.abandon(claim)

    @property
    def claims(self) -> str:
        return self.leases.rows[SHARD].claims

    @property
    def published(self) -> tuple[int, int]:
        """Flows, and undecided commits."""
        totals = self.ledger.totals()
        return sum(total.flows for total in totals.traffic), totals.counts.get((counts.UNDECIDED_COMMITS, ""), 0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "ledger.sqlite3")
    yield world
    world.ledger.close()


@pytest.fixture
def unreadable(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """Make each read of the lease table fail with an error, until `readable_again`."""

    def set_error(error: Exception) -> None:
        def fail(shard_id: str) -> LeaseRow | None:
            raise error

        monkeypatch.setattr(world.leases, "read_row", fail)

    return set_error


@pytest.fixture
def readable_again(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    read_row = world.leases.read_row
    return lambda: monkeypatch.setattr(world.leases, "read_row", read_row)


def warnings(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """Return message and fields of each warning."""
    return [
        (record.getMessage(), record.__dict__["fields"])
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


def test_a_claim_names_its_processor_and_where_it_begins(world: World) -> None:
    """The lease row has the claim before its processor may commit."""
    claim = world.claim()

    assert Permit(frozenset()) == world.registrar.register(world.hello(claim))

    assert with_claim(LeaseRow(HERE, START), claim.token) == world.claims
    assert [] == world.pauses


def test_a_claim_is_registered_once(world: World) -> None:
    """A processor whose answer was lost asks again, and gets it, even if its checkpoint has moved on."""
    claim = world.holder()
    before = world.claims
    world.leases.assign(SHARD, HERE, UPTO)

    assert world.registrar.register(world.hello(claim))
    assert before == world.claims


@pytest.mark.parametrize(
    ("owner", "checkpoint"),
    [(ELSEWHERE, START), (HERE, UPTO), ("", START)],
    ids=["another owner", "another checkpoint", "no owner"],
)
def test_a_lease_that_has_changed_is_not_claimed(
    world: World, caplog: pytest.LogCaptureFixture, owner: str, checkpoint: Position
) -> None:
    """The processor began from a state that is no longer true, so it may not commit."""
    world.leases.assign(SHARD, owner, checkpoint)

    assert world.registrar.register(world.hello(world.claim())) is None
    assert world.claims == ""
    expected = {"shard_id": SHARD, "owner": owner, "checkpoint": checkpoint.sequence}
    assert [("Lease changed before its processor could claim it; the processor ends", expected)] == warnings(caplog)


def test_a_shard_without_a_row_is_not_claimed(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The KCL deletes the row of a shard that ended long ago."""
    del world.leases.rows[SHARD]

    assert world.registrar.register(world.hello(world.claim())) is None
    assert [{"shard_id": SHARD, "lease": "deleted"}] == [fields for _, fields in warnings(caplog)]


def test_a_start_that_was_replaced_claims_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Another instance acts under its worker id by now, and may claim the same shard."""
    world.start_checks.append(lambda: False)

    assert world.registrar.register(world.hello(world.claim())) is None
    assert world.claims == ""
    assert [("Another start has the worker id; the processor ends", {"shard_id": SHARD})] == warnings(caplog)


def test_a_start_that_is_replaced_after_the_row_was_read_claims_nothing(world: World) -> None:
    """Its write depends on the row as it was read, and the fence of the later start changes the row."""

    def fence() -> bool:
        world.leases.assign(SHARD, ELSEWHERE, START)
        return True

    world.start_checks.append(fence)
    world.during_pauses.append(lambda: None)

    assert world.registrar.register(world.hello(world.claim())) is None
    assert world.claims == ""


def test_a_claim_waits_until_the_start_can_be_checked(world: World) -> None:
    """While DynamoDB fails, nobody knows whether another start has taken over."""

    def fail() -> bool:
        raise THROTTLED

    world.start_checks.append(fail)
    world.during_pauses.append(lambda: None)

    assert world.registrar.register(world.hello(world.claim()))
    assert [1.0] == world.pauses


def test_only_the_latest_processor_is_registered(world: World) -> None:
    """A claim of an older processor after that of a newer would look as if the older had begun there."""
    old = world.claim()
    new = world.claim()

    assert world.registrar.register(world.hello(old)) is None
    assert world.registrar.register(world.hello(new))


def test_a_processor_of_an_earlier_daemon_is_not_registered(world: World) -> None:
    """Its shard may already have a processor of the next daemon."""
    old = world.claim()
    world.ledger.begin_generation()

    assert world.registrar.register(world.hello(old)) is None


def test_a_processor_that_was_replaced_is_not_tried_again(
    world: World, unreadable: Callable[[Exception], None]
) -> None:
    """Even while the lease table fails: otherwise a thread would try for a processor that is gone."""
    old = world.claim()
    unreadable(THROTTLED)
    world.during_pauses = [world.ledger.begin_generation]

    assert world.registrar.register(world.hello(old)) is None
    assert [1.0] == world.pauses


def test_a_processor_that_is_replaced_before_its_row_is_read_is_not_registered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that it reads has the claim of the newer processor already, which no condition would refuse."""
    old = world.claim()
    read_row = world.leases.read_row

    def replace_first(shard_id: str) -> LeaseRow | None:
        monkeypatch.setattr(world.leases, "read_row", read_row)
        world.holder()
        return read_row(shard_id)

    monkeypatch.setattr(world.leases, "read_row", replace_first)

    assert world.registrar.register(world.hello(old)) is None
    assert 1 == len(world.claims.split())
    assert not has_claim(world.leases.rows[SHARD], old.token)


def test_a_processor_that_is_replaced_before_its_claim_is_written_is_not_registered(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The write fails, because the row has another claim by then, and the next try finds out why."""
    old = world.claim()
    add_claim = world.leases.add_claim

    def replace_first(shard_id: str, row: LeaseRow, token: str, suspect: str, care: Care) -> bool:
        monkeypatch.setattr(world.leases, "add_claim", add_claim)
        world.holder()
        return add_claim(shard_id, row, token, suspect, care)

    monkeypatch.setattr(world.leases, "add_claim", replace_first)
    world.during_pauses.append(lambda: None)

    assert world.registrar.register(world.hello(old)) is None
    assert 1 == len(world.claims.split())
    assert not has_claim(world.leases.rows[SHARD], old.token)
    assert [] == warnings(caplog)


def test_a_row_that_changes_before_the_write_is_read_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A claim is added to the others, and never replaces them."""
    rows = [LeaseRow(HERE, START, "", 4), *(LeaseRow(HERE, START, "other@1", counter) for counter in (5, 6))]
    world.leases.rows[SHARD] = rows[1]
    monkeypatch.setattr(world.leases, "read_row", lambda _: rows.pop(0))
    world.during_pauses.append(lambda: None)
    caplog.set_level(logging.DEBUG)

    assert world.registrar.register(world.hello(world.claim()))
    assert world.claims.startswith("other@1 ")
    (record,) = caplog.records
    assert (logging.DEBUG, "Lease row changed; reading it again") == (record.levelno, record.getMessage())
    assert {"shard_id": SHARD} == record.__dict__["fields"]


@pytest.mark.parametrize("error", [THROTTLED, DISK_FULL], ids=["the lease table", "the ledger"])
def test_registering_goes_on_until_what_fails_works_again(
    world: World,
    unreadable: Callable[[Exception], None],
    readable_again: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    """The processor waits, and counts nothing before its claim is known."""
    unreadable(error)
    world.during_pauses = [lambda: None, readable_again]
    claim = world.claim()

    assert world.registrar.register(world.hello(claim))
    assert has_claim(world.leases.rows[SHARD], claim.token)
    assert [1.0, 1.0] == world.pauses
    fields = {"shard_id": SHARD, "error": error, "retry_seconds": 1.0}
    assert [("Claim can't be registered yet; trying again", fields)] * 2 == warnings(caplog)


def test_damage_of_the_ledger_is_noted(
    world: World, unreadable: Callable[[Exception], None], readable_again: Callable[[], None]
) -> None:
    """Only a restart of the instance repairs it; a full disk is no damage."""
    damage = sqlite3.DatabaseError("malformed")

    def after_full_disk() -> None:
        assert world.damage.error is None
        unreadable(damage)

    unreadable(DISK_FULL)
    world.during_pauses = [after_full_disk, readable_again]

    assert world.registrar.register(world.hello(world.claim()))
    assert damage is world.damage.error


def test_each_call_closes_its_ledger(world: World) -> None:
    """Each thread has its own, so they would pile up."""
    world.holder()
    world.registrar.settle_left()

    assert 2 == len(world.opened)
    for ledger in world.opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            ledger.totals()


def test_a_new_claim_settles_the_commit_of_the_processor_before(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Before the new processor goes on, so that it knows which records were counted."""
    world.leave(world.holder())
    world.leases.assign(SHARD, HERE, UPTO)

    with caplog.at_level(logging.INFO):
        world.holder(UPTO)

    assert (1, 0) == world.published
    (record,) = (record for record in caplog.records if record.getMessage() == "Settled a commit in doubt")
    assert logging.INFO == record.levelno
    expected = {"shard_id": SHARD, "verdict": "fold", "flows": 1, "packets": 10, "bytes": 100}
    assert expected == record.__dict__["fields"]


def test_a_new_claim_settles_no_commit_of_another_shard(world: World) -> None:
    """The row of a shard says nothing about another."""
    world.leases.assign(OTHER_SHARD, HERE, START)
    world.leave(world.holder(shard_id=OTHER_SHARD))

    world.holder()

    assert [OTHER_SHARD] == [left.shard_id for left in world.ledger.left_commits()]


@pytest.mark.parametrize(
    ("begins_at", "published"), [(UPTO, (1, 0)), (START, (0, 0))], ids=["after the commit", "before the commit"]
)
def test_the_next_holder_decides_by_where_it_begins(
    world: World, begins_at: Position, published: tuple[int, int]
) -> None:
    """However far it is by now, and though the shard never comes back to this instance."""
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, begins_at)
    world.leases.assign(SHARD, ELSEWHERE, Position("900"))

    assert world.registrar.settle_left()
    assert published == world.published
    assert [] == world.ledger.left_commits()


def test_a_commit_stays_in_doubt_until_the_shard_has_a_next_holder(world: World) -> None:
    """A checkpoint on its way may still arrive, as long as nobody else has the lease."""
    world.leave(world.holder())

    assert world.registrar.settle_left()
    assert 1 == len(world.ledger.left_commits())

    world.leases.assign(SHARD, HERE, UPTO)
    assert world.registrar.settle_left()
    assert (1, 0) == world.published
    assert [] == world.ledger.left_commits()


def test_a_record_that_kills_becomes_poison_after_some_deaths(world: World) -> None:
    """Each claim names the record of the last death, for any instance; the same claim again counts no second time."""
    suspect = digest(UPTO)
    for deaths in range(DEATHS):
        assert world.registrar.register(world.hello(world.claim())) == Permit(frozenset())
        hello = world.hello(world.claim())
        hello.suspect = suspect
        permits = [world.registrar.register(hello) for _ in range(2)]
        assert [Permit(frozenset({suspect} if deaths + 1 == DEATHS else ()))] * 2 == permits

    assert Permit(frozenset({suspect})) == world.registrar.register(world.hello(world.claim()))


def test_commits_of_two_holders_are_settled_apart(world: World) -> None:
    """The checkpoint of the first was never written, that of the second was, up to the same position."""
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, START)
    world.leases.assign(SHARD, HERE, START)
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, UPTO, "third")

    world.registrar.settle_left()

    assert (1, 0) == world.published


def test_an_undecided_commit_is_folded_counted_and_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Without the claims nobody can tell; the flows count, and the doubt too."""
    world.leave(world.holder())
    world.leases.rows[SHARD] = LeaseRow(ELSEWHERE, Position("900"))

    world.registrar.settle_left()

    assert (1, 1) == world.published
    fields = {"shard_id": SHARD, "verdict": "undecided", "flows": 1, "packets": 10, "bytes": 100}
    assert [("Settled a commit in doubt", fields)] == warnings(caplog)


def test_a_commit_that_another_thread_settles_is_settled_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A new claim and the housekeeping may come to it at the same time."""
    world.leave(world.holder())
    world.leases.assign(SHARD, HERE, UPTO)
    read_row = world.leases.read_row

    def settle_first(shard_id: str) -> LeaseRow | None:
        monkeypatch.setattr(world.leases, "read_row", read_row)
        world.registrar.settle_left()
        return read_row(shard_id)

    monkeypatch.setattr(world.leases, "read_row", settle_first)

    with caplog.at_level(logging.INFO):
        assert world.registrar.settle_left()

    assert (1, 0) == world.published
    assert ["Settled a commit in doubt"] == [record.getMessage() for record in caplog.records]


def test_a_commit_that_is_left_after_the_row_was_read_is_not_decided_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row does not have its claim yet, so it would seem to have been pushed out long ago."""
    add_claim = world.leases.add_claim

    def be_overtaken(*arguments: Any) -> bool:
        monkeypatch.setattr(world.leases, "add_claim", add_claim)
        is_added = add_claim(*arguments)
        world.leave(world.holder())
        return is_added

    monkeypatch.setattr(world.leases, "add_claim", be_overtaken)

    world.holder()

    assert 1 == len(world.ledger.left_commits())
    world.leases.assign(SHARD, HERE, UPTO)
    world.registrar.settle_left()
    assert (1, 0) == world.published


def test_commits_wait_for_a_lease_table_that_can_not_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next would fail too, so the lease table is not read again for it."""
    world.leases.assign(OTHER_SHARD, HERE, START)
    for shard_id in (SHARD, OTHER_SHARD):
        world.leave(world.holder(shard_id=shard_id))
    read = []

    def fail(shard_id: str) -> LeaseRow | None:
        read.append(shard_id)
        raise THROTTLED

    monkeypatch.setattr(world.leases, "read_row", fail)

    assert not world.registrar.settle_left()
    assert 2 == len(world.ledger.left_commits())
    assert 1 == len(read)
    fields = {"shard_id": read[0], "error": THROTTLED}
    assert [("Commit in doubt stays unsettled: the lease table can't be read", fields)] == warnings(caplog)
