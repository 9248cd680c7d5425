"""The chores of an instance: each in its interval, put off by a full disk, ended by damage."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.who_tables import SubnetStep
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, Snapshot, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher.every import Every
from kcl_flowlog.launcher.housekeeping import Housekeeping
from tests.support.clocks import FakeClock
from tests.support.launcher_fakes import SUBNET, FakeInbox, FakeInventory, FakeSettler
from tests.support.ledgers import make_delta
from tests.support.log_records import fields

SHARD = "shardId-000000000000"
TTL = 86_400.0
LETTER = DeadLetter(SHARD, "5", 0, "gzip", "payload", "AAAA")
DISK_IS_FULL = sqlite3.OperationalError("database or disk is full")
DAMAGE = sqlite3.DatabaseError("database disk image is malformed")


class House:
    """Housekeeping over a real ledger; the test moves the clock."""

    def __init__(self, directory: Path, removes_who: bool = False) -> None:
        self.clock = FakeClock()
        self.path = directory / "ledger.sqlite3"
        self.ledger = Ledger(self.path, keeps_who=not removes_who)
        self.damage = DamageNote()
        self.inbox = FakeInbox()
        self.settler = FakeSettler()
        self.dead_letters = directory / "dead-letters.jsonl"
        self.housekeeping = Housekeeping(
            self.ledger,
            self.settler,
            self.inbox,
            FakeInventory(),
            self.dead_letters,
            dead_letter_limit=1_000_000,
            series_ttl=TTL,
            damage=self.damage,
            removes_who=removes_who,
            clock=self.clock,
        )

    def steps_until(self, moment: float) -> None:
        """Step five times a second, as the main loop does, up to and with a moment after the start."""
        while self.clock.now < 1000.0 + moment:
            self.clock.now = round(self.clock.now + 0.2, 1)
            self.housekeeping.step()

    def count(self, subnet_id: str) -> None:
        """Commit a flow of a subnet, and a dead letter."""
        series = Traffic(subnet_id, "egress", "accept", "tcp", "internet")
        claim = self.ledger.claim(SHARD, self.ledger.begin_generation())
        self.ledger.prepare(claim, Position("9"), Snapshot(traffic=[(series, (1, 1, 100))], dead_letters=[LETTER]))
        self.ledger.fold(claim)

    @property
    def subnets(self) -> list[str]:
        return sorted(total.series.subnet_id for total in self.ledger.totals().traffic)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    with made.ledger:
        yield made


def raiser(error: Exception) -> Callable[[], bool]:
    """Return a function that raises this error."""

    def fail() -> bool:
        raise error

    return fail


def test_what_happens_every_ten_seconds_is_due_at_once_and_then_every_ten_seconds() -> None:
    """Late calls don't make up for the missed ones."""
    clock = FakeClock(0.0)
    every = Every(10.0, clock)

    due = []
    for clock.now in (0, 0.1, 9.9, 10, 10.1, 35, 44.9, 45):
        if every.is_due():
            due.append(clock.now)

    assert [0, 10, 35, 45] == due


def test_what_is_put_off_is_due_when_that_is_over() -> None:
    """And from then on at its interval."""
    clock = FakeClock(0.0)
    every = Every(10.0, clock)
    every.put_off(3.0)

    due = []
    for clock.now in (0, 2.9, 3, 12.9, 13):
        if every.is_due():
            due.append(clock.now)

    assert [3, 13] == due


def test_what_earlier_processors_left_is_settled_before_anything_is_shown(house: House) -> None:
    """Also what their last generation has prepared: none of them can finish it."""
    claim = house.ledger.claim(SHARD, house.ledger.begin_generation())
    house.ledger.prepare(claim, Position("5"), Delta().snapshot())

    house.housekeeping.begin()

    assert 1 == house.settler.calls
    assert [SHARD] == [left.shard_id for left in house.ledger.left_commits()]


def test_left_commits_are_settled_every_two_seconds(house: House) -> None:
    """Once at the start, and then at the interval."""
    house.housekeeping.step()
    assert 1 == house.settler.calls

    house.steps_until(10)

    assert 6 == house.settler.calls


def test_dead_letters_move_to_their_file_within_a_second(house: House) -> None:
    """And leave the ledger."""
    house.housekeeping.step()
    house.count("subnet-a")

    house.steps_until(1)

    assert (1, []) == (house.dead_letters.read_text().count('"reason":"gzip"'), house.ledger.dead_letters())


def test_the_series_of_a_deleted_subnet_go_after_their_time(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """They go within 20 minutes after --series-ttl without traffic, and the log names them."""
    caplog.set_level("INFO")
    house.clock.now += TTL
    house.housekeeping.step()
    house.count("subnet-deleted")

    house.clock.now += TTL + 600
    house.housekeeping.step()
    in_time = house.subnets
    house.clock.now += 600
    house.housekeeping.step()

    assert (["subnet-deleted"], []) == (in_time, house.subnets)
    assert ["subnet-deleted"] == [fields(record)["subnet_id"] for record in caplog.records]


def test_the_series_of_a_subnet_that_exists_stay(house: House) -> None:
    """However long the subnet has been idle."""
    house.count(SUBNET.subnet_id)
    house.clock.now += 100 * TTL

    house.housekeeping.step()

    assert [SUBNET.subnet_id] == house.subnets


def test_idle_subnets_are_looked_for_every_ten_minutes_and_not_at_the_start(house: House) -> None:
    """A subnet that was deleted while no instance ran is shown a little longer."""
    house.count("subnet-deleted")
    house.ledger.pass_time(100 * int(TTL))

    seen = []
    for house.clock.now in (1000.0, 1599.9, 1600.0):
        house.housekeeping.step()
        seen.append(house.subnets)
    house.count("subnet-deleted")
    house.ledger.pass_time(100 * int(TTL))
    for house.clock.now in (2199.9, 2200.0):
        house.housekeeping.step()
        seen.append(house.subnets)

    shown, dropped = ["subnet-deleted"], list[str]()
    assert [shown, shown, dropped, shown, dropped] == seen


def test_time_is_noted_in_whole_seconds_and_none_is_lost(house: House) -> None:
    """Of instances that run for less than ten minutes, too; a clock of the world is not read."""
    house.count("subnet-deleted")
    for _ in range(3):
        house.clock.now += 600.4
        house.housekeeping.step()
    house.clock.now += 99.1
    house.housekeeping.finish(house.clock.now, house.clock.sleep)

    assert [] == house.ledger.forget_idle_subnets([], 1900)
    assert ["subnet-deleted"] == house.ledger.forget_idle_subnets([], 1899)


def test_denials_that_cannot_be_written_end_the_instance(house: House) -> None:
    """With --log-deny every rejected flow must be written."""
    house.inbox.denials_error = BrokenPipeError(32, "Broken pipe")

    with pytest.raises(FlowlogError, match=r"^Denials can't be written to stdout any more \(.*Broken pipe\)"):
        house.housekeeping.step()


def test_damage_that_was_noted_ends_the_instance(house: House) -> None:
    """Another thread found it; only the next start can set the ledger aside."""
    house.damage.take(DAMAGE)

    with pytest.raises(FlowlogError, match=r"^The ledger is damaged \(database disk image is malformed\)"):
        house.housekeeping.step()


def test_damage_that_a_chore_meets_ends_the_instance(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting would not mend it."""
    monkeypatch.setattr(house.settler, "settle_left", raiser(DAMAGE))

    with pytest.raises(FlowlogError, match="damaged"):
        house.housekeeping.step()


@pytest.mark.parametrize("refusal", [DISK_IS_FULL, OSError(28, "No space left on device")])
def test_what_a_full_disk_refuses_is_put_off_for_ten_seconds(
    house: House, refusal: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once in ten seconds, and afterwards the chores go on."""
    house.count("subnet-a")
    with monkeypatch.context() as full:
        full.setattr(house.settler, "settle_left", raiser(refusal))
        house.housekeeping.step()
    house.steps_until(9.8)
    assert (0, False) == (house.settler.calls, house.dead_letters.exists())

    house.steps_until(10)

    assert (1, True) == (house.settler.calls, house.dead_letters.exists())
    assert ["The state directory can't be written; trying again in 10 s"] == caplog.messages


def test_the_last_chores_settle_and_write_dead_letters(house: House) -> None:
    """The lease table answers at once, so nothing is waited for."""
    house.count("subnet-a")
    generation = house.ledger.begin_generation()

    house.housekeeping.finish(deadline=house.clock.now + 15, wait=house.clock.sleep)

    assert (1, 1000.0, True) == (house.settler.calls, house.clock.now, house.dead_letters.exists())
    assert generation + 2 == house.ledger.begin_generation()


def test_the_last_chores_wait_for_the_lease_table(house: House) -> None:
    """Until it answers, or until the deadline; then the dead letters are still written."""
    house.count("subnet-a")
    house.settler.does_answer = False

    house.housekeeping.finish(deadline=house.clock.now + 5, wait=house.clock.sleep)

    assert (4, 1006.0, True) == (house.settler.calls, house.clock.now, house.dead_letters.exists())


def test_the_last_chores_do_not_wait_if_the_user_hurries(house: House) -> None:
    """A second signal ends the wait, not the chores."""
    house.count("subnet-a")
    house.settler.does_answer = False

    house.housekeeping.finish(deadline=house.clock.now + 500, wait=lambda _: True)

    assert (1, True) == (house.settler.calls, house.dead_letters.exists())


def test_a_full_disk_does_not_fail_a_stop(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is left stays in the ledger for the next start."""
    monkeypatch.setattr(house.settler, "settle_left", raiser(DISK_IS_FULL))

    house.housekeeping.finish(deadline=house.clock.now, wait=house.clock.sleep)

    assert ["The state directory can't be written; the next start does the rest"] == caplog.messages


# What was kept of who sent what, after --no-who


ADDRESSES = b"addresses of a step " * 400
# As a step has them, and as a delta has them, which is JSON.
FORMS = (ADDRESSES[:20], b64encode(ADDRESSES)[:20])


@pytest.fixture
def switched_off(tmp_path: Path) -> Iterator[House]:
    """An instance with --no-who, whose ledger has addresses of before."""
    made = House(tmp_path, removes_who=True)
    # The last connection that is closed would empty the log by itself.
    with made.ledger:
        with made.ledger.begin() as db:
            who_tables.replace(db, 0, [SubnetStep(1, "subnet-a", ADDRESSES)])
        assert has_addresses(made)
        yield made


def has_addresses(house: House) -> bool:
    """Tell whether the ledger or its write-ahead log has any of the addresses."""
    return any(form in files_of(house) for form in FORMS)


def files_of(house: House) -> bytes:
    """Return all bytes of the ledger and its write-ahead log."""
    return b"".join(path.read_bytes() for path in house.path.parent.glob(f"{house.path.name}*"))


def test_switched_off_no_file_holds_what_was_kept(switched_off: House, caplog: pytest.LogCaptureFixture) -> None:
    switched_off.housekeeping.begin()

    assert not has_addresses(switched_off)
    assert [] == caplog.records


def test_what_a_reader_holds_is_removed_once_it_has_ended(
    switched_off: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a backup, or a person with sqlite3; neither the start nor the processors wait for it."""
    caplog.set_level("INFO")
    with closing(sqlite3.connect(switched_off.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert [(1,)] == reader.execute("SELECT count(*) FROM who_steps").fetchall()
        switched_off.housekeeping.begin()
        switched_off.steps_until(130.0)
        assert has_addresses(switched_off)
        switched_off.count("subnet-a")

    switched_off.steps_until(200.0)

    assert not has_addresses(switched_off)
    assert [
        "Somebody reads the ledger, so its log keeps what --no-who removes; trying again each minute",
        "The ledger's files keep nothing any more of what --no-who removes",
    ] == caplog.messages


def test_what_a_commit_holds_is_removed_once_it_is_settled(switched_off: House) -> None:
    """The lease table has to tell how it ended."""
    delta = make_delta()
    delta.sketch = ADDRESSES
    token = switched_off.ledger.claim(SHARD, switched_off.ledger.begin_generation())
    switched_off.ledger.prepare(token, Position("9"), delta.snapshot())
    switched_off.housekeeping.begin()
    assert FORMS[1] in files_of(switched_off)

    (left,) = switched_off.ledger.left_commits()
    switched_off.ledger.settle(left, Verdict.FOLD)
    switched_off.steps_until(61.0)

    assert not has_addresses(switched_off)


def test_on_a_full_disk_it_is_removed_later(switched_off: House) -> None:
    switched_off.settler.settle_left = raiser(DISK_IS_FULL)  # type: ignore[method-assign]
    switched_off.housekeeping.begin()
    assert has_addresses(switched_off)

    switched_off.settler.settle_left = lambda: True  # type: ignore[method-assign]
    switched_off.steps_until(20.0)

    assert not has_addresses(switched_off)


def test_who_sent_what_stays_unless_it_is_switched_off(house: House) -> None:
    with house.ledger.begin() as db:
        who_tables.replace(db, 0, [SubnetStep(1, "subnet-a", ADDRESSES)])

    house.housekeeping.begin()
    house.steps_until(100.0)

    assert has_addresses(house)
