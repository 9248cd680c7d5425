"""Who sent what, from processors through the ledger to steps: nothing is there twice, nothing stays for ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kcl_flowlog.commits import own_series, who_tables
from kcl_flowlog.commits.checked_table import CheckedTable
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside_if_broken
from kcl_flowlog.counting.delta import Delta, Traffic
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import Heavy, heaviest
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.kinds import PORT, SOURCE
from kcl_flowlog.counting.who.steps import STEP, STEPS
from kcl_flowlog.launcher.who_keeper import DistinctRejected, WhoKeeper
from kcl_flowlog.processor import faults
from tests.support.builders import envelope, line
from tests.support.clocks import FakeClock
from tests.support.ledgers import change, claim, commit, make_delta
from tests.support.processors import Driver

NOW = 1_700_000_100.0
PRESENT = int(NOW // STEP)
REJECTS = envelope(line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22))


class Home:
    """A ledger, and the keeper of its launcher."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock(NOW)
        self.damage = DamageNote()
        self.keeper = WhoKeeper(lambda: Ledger(path, patience=0.0), self.damage, self.clock)
        self.ledger = Ledger(path)
        self.claim = claim(self.ledger)
        self._upto = 0

    def commit(self, *rejects: tuple[str, str, str], step: int = PRESENT) -> None:
        """Commit rejected flows: subnet, source and port."""
        delta, collector = make_delta(), Collector()
        for subnet_id, source, port in rejects:
            delta.add_flow(Traffic(subnet_id, "ingress", "reject", "tcp", "internet"), 1, 40)
            collector.add_reject(subnet_id, source, "10.0.1.10", "tcp", port)
        self._commit(delta, collector, step)

    def commit_accepted(self, subnet_id: str, step: int) -> None:
        """Commit an accepted flow."""
        delta, collector = make_delta(), Collector()
        delta.add_flow(Traffic(subnet_id, "ingress", "accept", "tcp", "internet"), 1, 40)
        collector.add_accept(subnet_id, False, "1.1.1.1", 40)
        self._commit(delta, collector, step)

    def _commit(self, delta: Delta, collector: Collector, step: int) -> None:
        delta.sketch = sketches.encode(collector.take(step))
        self._upto += 1
        commit(self.ledger, self.claim, str(self._upto), delta)

    def top(self, subnet_id: str = "subnet-a", kind: int = SOURCE) -> list[Heavy]:
        """Return the heaviest names of a subnet in all steps."""
        with self.ledger.begin() as db:
            found = [sketches.decode(body) for body in who_tables.steps_of(db, subnet_id, 0, 2**40)]
        return heaviest(sketches.combine(0, found, kept=False).summary, kind, 10) if found else []


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "ledger.sqlite3")
    yield made
    made.ledger.close()


class Death(BaseException):
    """Ends a processor at some point."""


def dies_at(gap: str) -> Callable[..., None]:
    def point(name: str, payload: bytes = b"") -> None:
        if name == gap:
            raise Death

    return point


@pytest.mark.parametrize("gap", faults.GAPS)
@pytest.mark.parametrize("is_undecided", [False, True])
def test_a_death_in_a_gap_neither_loses_nor_doubles(tmp_path: Path, gap: str, is_undecided: bool) -> None:
    """What is known of who sent what shares the fate of the counts, whatever the lease table tells."""
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as ledger:
        driver = Driver(tmp_path, ledger, checkpoint_interval=0.0, log_deny="", who=True)
        driver.initialize()
        driver.on_point = dies_at(gap)
        with pytest.raises(Death):
            driver.deliver((7, REJECTS))
        driver.on_point = faults.no_fault

        driver.settings = msgspec.structs.replace(driver.settings, generation=ledger.begin_generation())
        is_checkpointed = bool(driver.checkpoints)
        for left in ledger.left_commits():
            verdict = Verdict.FOLD if is_checkpointed else Verdict.DROP
            ledger.settle(left, Verdict.UNDECIDED if is_undecided else verdict)
            is_checkpointed |= is_undecided
        driver.processor = driver.new_processor()
        driver.initialize("7" if is_checkpointed else "TRIM_HORIZON")
        driver.deliver(*([] if is_checkpointed else [(7, REJECTS)]))

        keeper = WhoKeeper(lambda: Ledger(path), DamageNote(), driver.wall)
        keeper.step()
        keeper.step()

        assert 1 == driver.flows
        assert {"subnet-a": DistinctRejected(1, 1)} == keeper.distinct
        with ledger.begin() as db:
            (body,) = who_tables.steps_of(db, "subnet-a", 0, 2**40)
        assert [("198.51.100.7", 1, 1)] == heaviest(sketches.decode(body).summary, SOURCE, 10)
        ledger.verify()


def test_commits_add_up(home: Home) -> None:
    """Of one step, of several steps, and of commits that come after the step was written."""
    home.commit(("subnet-a", "1.1.1.1", "22"), ("subnet-b", "3.3.3.3", "22"))
    home.commit(("subnet-a", "1.1.1.1", "23"))
    home.keeper.step()
    home.commit(("subnet-a", "1.1.1.1", "22"), ("subnet-a", "2.2.2.2", "22"), step=PRESENT - 1)
    home.commit(("subnet-a", "1.1.1.1", "22"))
    home.keeper.step()

    assert [("1.1.1.1", 4, 4), ("2.2.2.2", 1, 1)] == home.top()
    assert [("tcp/22", 4, 4), ("tcp/23", 1, 1)] == home.top(kind=PORT)
    assert {"subnet-a": (2, 2), "subnet-b": (1, 1)} == home.keeper.distinct
    home.ledger.verify()


def test_after_an_hour_nothing_is_left(home: Home) -> None:
    """The numbers fall as steps leave the hour."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    home.commit(("subnet-a", "2.2.2.2", "22"), step=PRESENT + 1)
    home.keeper.step()

    home.clock.now += STEPS * STEP
    home.keeper.step()
    assert {"subnet-a": (1, 1)} == home.keeper.distinct
    home.clock.now += STEP
    home.keeper.step()
    assert {} == home.keeper.distinct
    assert [] == home.top()


def test_a_subnet_without_rejected_flows_in_the_hour_has_no_numbers(home: Home) -> None:
    """As before it had any, although its accepted flows go on."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    home.keeper.step()
    home.clock.now += STEPS * STEP
    home.commit_accepted("subnet-a", step=PRESENT + STEPS)
    home.keeper.step()

    assert {} == home.keeper.distinct


@pytest.mark.parametrize("step", [PRESENT - STEPS, PRESENT + 2, 0, 2**40])
def test_a_step_outside_the_hour_is_not_kept(home: Home, step: int) -> None:
    """A clock that was wrong makes no steps without end, and does not hide those of the hour."""
    home.commit(("subnet-a", "1.1.1.1", "22"), step=step)
    home.commit(("subnet-a", "2.2.2.2", "22"))

    home.keeper.step()

    assert [("2.2.2.2", 1, 1)] == home.top()
    with home.ledger.begin() as db:
        assert [] == who_tables.added(db)


def test_subnets_without_series_are_one(home: Home) -> None:
    """Made-up subnets take no room; what is known of them stands under `other`."""
    names = ["subnet-x", "subnet-y"]
    home.commit(*((name, "1.1.1.1", "22") for name in names), ("subnet-a", "1.1.1.1", "22"))
    with home.ledger.begin() as db:
        own_series.SUBNETS.delete(db, "WHERE subnet_id IN (?, ?)", *names)

    home.keeper.step()

    assert [("1.1.1.1", 2, 2)] == home.top("other")
    assert {"subnet-a", "other"} == {*home.keeper.distinct}


def test_damage_is_noted(home: Home) -> None:
    """It ends the instance, as any damage of the ledger does."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    change(home.path, "UPDATE who_added SET body = zeroblob(10)")

    home.keeper.step()

    assert home.damage.error is not None


def test_a_ledger_that_is_locked_is_no_damage(home: Home) -> None:
    """The next try adds what waits."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    with home.ledger.begin():
        home.keeper.step()
    assert {} == home.keeper.distinct

    home.keeper.step()

    assert home.damage.error is None
    assert {"subnet-a": (1, 1)} == home.keeper.distinct


def fail(*_: object) -> None:
    """Fail as a query does if the disk does."""
    raise sqlite3.OperationalError("disk I/O error")


def test_numbers_that_could_not_be_counted_are_counted_next_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although what was added is in its step already."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    with monkeypatch.context() as patched:
        patched.setattr("kcl_flowlog.launcher.who_keeper.sketches.decode_distinct", fail)
        home.keeper.step()
    assert {} == home.keeper.distinct
    assert home.keeper.is_behind

    home.keeper.step()

    assert {"subnet-a": (1, 1)} == home.keeper.distinct


def test_an_error_between_adding_and_removing_changes_nothing(home: Home) -> None:
    """What was added stays until its steps are written, and is in them once."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    change(
        home.path, "CREATE TRIGGER fails BEFORE DELETE ON who_added BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END"
    )
    home.keeper.step()
    assert [] == home.top()
    change(home.path, "DROP TRIGGER fails")

    home.keeper.step()

    assert [("1.1.1.1", 1, 1)] == home.top()
    assert home.damage.error is None
    home.ledger.verify()


def test_a_commit_while_steps_are_written_is_added_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither removed unread nor added twice."""
    late = [("subnet-a", "2.2.2.2", "22")]

    def steps_of(*arguments: Any) -> list[bytes]:
        while late:
            home.commit(late.pop())
        return read(*arguments)

    read = who_tables.steps_of
    home.commit(("subnet-a", "1.1.1.1", "22"))
    monkeypatch.setattr("kcl_flowlog.commits.who_tables.steps_of", steps_of)

    home.keeper.step()
    home.keeper.step()

    assert {("1.1.1.1", 1, 1), ("2.2.2.2", 1, 1)} == set(home.top())
    home.ledger.verify()


@pytest.mark.parametrize("table", [who_tables.ADDED, who_tables.STEPS])
def test_a_sketch_that_cannot_be_read_is_left_out(
    home: Home, table: CheckedTable, caplog: pytest.LogCaptureFixture
) -> None:
    """Its checksum is right, so the program has a fault: that costs this row, and neither others nor the totals."""
    home.commit(("subnet-a", "1.1.1.1", "22"))
    if table is who_tables.STEPS:
        home.keeper.step()
    with home.ledger.begin() as db:
        ((*key, _),) = table.rows(db, "")
        table.put(db, (*key, b"not a sketch"))
    home.clock.now += STEP
    home.keeper.step()
    home.commit(("subnet-a", "2.2.2.2", "22"))

    home.keeper.step()

    assert {"subnet-a": (1, 1)} == home.keeper.distinct
    assert [("2.2.2.2", 1, 1)] == home.top()
    assert "A row of who sent what can't be read; left out" in caplog.messages
    assert home.damage.error is None
    home.ledger.close()
    assert set_aside_if_broken(home.path, "broken") is None


def sizes(path: Path) -> Iterable[int]:
    with Ledger(path) as ledger, ledger.begin() as db:
        return [len(body) for body in who_tables.verify(db)]


def test_numbers_are_counted_by_and_by(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many subnets, some at a time, so that the thread never works for long."""
    monkeypatch.setattr("kcl_flowlog.launcher.who_keeper._COUNTED_AT_A_TIME", 2)
    monkeypatch.setattr("kcl_flowlog.launcher.who_keeper._SUBNETS_AT_A_TIME", 2)
    home.commit(*((f"subnet-{number}", "1.1.1.1", "22") for number in range(5)))
    seen = []
    for _ in range(3):
        home.keeper.step()
        seen.append(len(home.keeper.distinct))

    assert [2, 4, 5] == seen
    assert max(sizes(home.path)) < 500


def test_what_nobody_takes_away_is_bounded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest commits stay."""
    monkeypatch.setattr("kcl_flowlog.commits.who_tables._MOST_WAITING", 3)
    for number in range(5):
        home.commit(("subnet-a", f"1.1.1.{number}", "22"))

    home.keeper.step()

    assert ["1.1.1.2", "1.1.1.3", "1.1.1.4"] == [each.name for each in home.top()]
    home.ledger.verify()
