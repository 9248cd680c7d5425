"""How claims come into the lease table, and what is settled by them, while others come and go."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import botocore.exceptions
import pytest

from kcl_flowlog.commits.claims import DEATHS, LeaseRow, Permit, digest, has_claim
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.launcher.registrar import Registrar
from tests.support.lease_fakes import ELSEWHERE, HERE, START, FakeLeases

SHARD = "shardId-000000000000"
SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
UPTO = Position("5")
THROTTLED = botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")


class World:
    """An instance with its ledger, and the lease table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger(path)
        self.generation = self.ledger.begin_generation()
        self.leases = FakeLeases()
        self.leases.assign(SHARD, HERE, START)
        # What happens at each wait.
        self.meanwhile: list[Callable[[], object]] = []
        self.registrar = Registrar(self.leases, lambda: Ledger(path), HERE, lambda _: self.meanwhile.pop(0)())

    def claim(self) -> Claim:
        return self.ledger.claim(SHARD, self.generation)

    def hello(self, claim: Claim, at: Position = START) -> Hello:
        return Hello(SHARD, 1, claim.token, *at)

    def holder(self, at: Position = START) -> Claim:
        """Return a claim that is registered."""
        claim = self.claim()
        assert self.registrar.register(self.hello(claim, at))
        return claim

    def leave(self, claim: Claim) -> None:
        """Prepare a commit of one flow, and lose sight of it."""
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
        return sum(one.flows for one in totals.traffic), totals.counts.get((counts.UNDECIDED_COMMITS, ""), 0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.sqlite3")
    yield made
    made.ledger.close()


def test_a_claim_is_registered_once(world: World) -> None:
    """A request that was answered on the way, and is repeated, finds itself there."""
    claim = world.holder()
    before = world.claims

    assert world.registrar.register(world.hello(claim))
    assert world.claims == before


@pytest.mark.parametrize(
    ("owner", "checkpoint"),
    [(ELSEWHERE, START), (HERE, UPTO), ("", START)],
    ids=["it was leased to another", "its checkpoint went on", "it was given up"],
)
def test_a_lease_that_went_on_is_not_claimed(world: World, owner: str, checkpoint: Position) -> None:
    """What the processor was told is no longer so, and it may commit nothing."""
    world.leases.assign(SHARD, owner, checkpoint)

    assert not world.registrar.register(world.hello(world.claim()))
    assert world.claims == ""


def test_a_shard_that_has_no_row_is_not_claimed(world: World) -> None:
    """The KCL deletes the row of a shard that ended long ago."""
    del world.leases.rows[SHARD]

    assert not world.registrar.register(world.hello(world.claim()))


def test_only_the_latest_processor_is_registered(world: World) -> None:
    """An older one of the same instance must not come after it: it would look as if it had begun from there."""
    old = world.claim()
    new = world.claim()

    assert not world.registrar.register(world.hello(old))
    assert world.registrar.register(world.hello(new))


def test_a_processor_of_a_daemon_that_is_gone_is_not_registered(world: World) -> None:
    """Nor waited with for ever."""
    old = world.claim()
    world.ledger.begin_generation()

    assert not world.registrar.register(world.hello(old))


def test_one_that_is_gone_is_not_waited_with_while_the_lease_table_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its thread would wait for as long, and find a new daemon then."""
    old = world.claim()

    def fail(shard_id: str) -> LeaseRow | None:
        raise THROTTLED

    monkeypatch.setattr(world.leases, "row", fail)
    world.meanwhile = [world.ledger.begin_generation]

    assert not world.registrar.register(world.hello(old))
    assert world.meanwhile == []


def test_damage_is_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a new start can mend it; what passes is no damage."""
    row = world.leases.row
    errors = [sqlite3.OperationalError("database or disk is full"), sqlite3.DatabaseError("malformed")]
    noted = []

    def fail(shard_id: str) -> LeaseRow | None:
        if not errors:
            return row(shard_id)
        raise errors.pop(0)

    monkeypatch.setattr(world.leases, "row", fail)
    world.meanwhile = [lambda: noted.append(world.registrar.damage)] * 2

    assert world.registrar.register(world.hello(world.claim()))
    assert [str(one) for one in noted] == ["None", "malformed"]


def test_a_newer_processor_that_comes_in_between_goes_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the row and the write, the shard is claimed anew and registered: the old one finds out."""
    old = world.claim()
    add_claim = world.leases.add_claim

    def overtaken(shard_id: str, row: LeaseRow, token: str, suspect: str) -> bool:
        monkeypatch.setattr(world.leases, "add_claim", add_claim)
        world.holder()
        return add_claim(shard_id, row, token, suspect)

    monkeypatch.setattr(world.leases, "add_claim", overtaken)
    world.meanwhile.append(lambda: None)

    assert not world.registrar.register(world.hello(old))
    assert len(world.claims.split()) == 1
    assert not has_claim(world.leases.rows[SHARD], old.token)


def test_a_row_that_another_changes_meanwhile_is_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims are never lost by being overwritten."""
    rows = [LeaseRow(HERE, START), LeaseRow(HERE, START, "other@1")]
    world.leases.rows[SHARD] = rows[1]
    monkeypatch.setattr(world.leases, "row", lambda _: rows.pop(0))
    world.meanwhile.append(lambda: None)
    claim = world.claim()

    assert world.registrar.register(world.hello(claim))
    assert world.claims.startswith("other@1 ")


@pytest.mark.parametrize(
    "error", [THROTTLED, sqlite3.OperationalError("database or disk is full")], ids=["the lease table", "the ledger"]
)
def test_what_can_not_be_used_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The processor waits meanwhile; nothing is counted that can't be told later."""
    row = world.leases.row

    def fail(shard_id: str) -> LeaseRow | None:
        raise error

    monkeypatch.setattr(world.leases, "row", fail)
    world.meanwhile = [lambda: None, lambda: monkeypatch.setattr(world.leases, "row", row)]
    claim = world.claim()

    assert world.registrar.register(world.hello(claim))
    assert has_claim(world.leases.rows[SHARD], claim.token)


def test_a_new_claim_settles_what_an_earlier_one_left(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Before its processor goes on, so that what was counted is known when it comes again."""
    world.leave(world.holder())
    world.leases.assign(SHARD, HERE, UPTO)

    with caplog.at_level(logging.INFO):
        world.holder(UPTO)

    assert world.published == (1, 0)
    assert [record.fields for record in caplog.records if "its lease says: fold" in record.getMessage()] == [
        {"flows": 1, "packets": 10, "bytes": 100}
    ]


@pytest.mark.parametrize(
    ("theirs", "published"), [(UPTO, (1, 0)), (START, (0, 0))], ids=["from our commit", "instead of it"]
)
def test_others_that_went_on_tell_where_from(world: World, theirs: Position, published: tuple[int, int]) -> None:
    """However far they are by now, and though nobody comes back here."""
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, theirs)
    world.leases.assign(SHARD, ELSEWHERE, Position("900"))

    assert world.registrar.settle_left()
    assert world.published == published
    assert world.ledger.left_commits() == []


def test_a_commit_waits_until_someone_comes(world: World) -> None:
    """A request on its way may still arrive, as long as nobody else has the lease."""
    world.leave(world.holder())
    world.registrar.settle_left()
    assert len(world.ledger.left_commits()) == 1

    world.leases.assign(SHARD, HERE, UPTO)
    world.registrar.settle_left()

    assert world.published == (1, 0)
    assert world.ledger.left_commits() == []


def test_a_death_is_told_once(world: World) -> None:
    """With the next claim, by which any instance knows; a claim that is registered again tells it no second time."""
    suspect = digest(UPTO)
    for place in range(DEATHS):
        assert world.registrar.register(world.hello(world.claim())) == Permit(frozenset())
        hello = world.hello(world.claim())
        hello.suspect = suspect
        permits = [world.registrar.register(hello) for _ in range(2)]
        assert permits == [Permit(frozenset({suspect} if place + 1 == DEATHS else ()))] * 2

    assert world.registrar.register(world.hello(world.claim())) == Permit(frozenset({suspect}))


def test_two_commits_of_two_holders_are_told_apart(world: World) -> None:
    """The first was never written, the second was, up to the very same position."""
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, START)
    world.leases.assign(SHARD, HERE, START)
    world.leave(world.holder())
    world.leases.claim_elsewhere(SHARD, UPTO, "third")

    world.registrar.settle_left()

    assert world.published == (1, 0)


def test_an_undecided_commit_is_folded_counted_and_named(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Where the claims are gone nobody can tell; the flows count, and so does the doubt."""
    world.leave(world.holder())
    world.leases.rows[SHARD] = LeaseRow(ELSEWHERE, Position("900"))

    world.registrar.settle_left()

    assert world.published == (1, 1)
    (record,) = (one for one in caplog.records if one.levelno == logging.WARNING)
    assert "undecided" in record.getMessage()
    assert record.fields == {"flows": 1, "packets": 10, "bytes": 100}


def test_a_lease_table_that_can_not_be_read_is_left_for_later(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The commits stay."""
    world.leave(world.holder())

    def fail(shard_id: str) -> LeaseRow | None:
        raise THROTTLED

    monkeypatch.setattr(world.leases, "row", fail)

    assert not world.registrar.settle_left()
    assert len(world.ledger.left_commits()) == 1
    assert "ThrottlingException" in caplog.text
