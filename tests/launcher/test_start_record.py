"""The start record: which of several starts with one worker id may act, whoever is alive and whatever is slow."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.start_record import StartRecord
from tests.support.clocks import FakeClock
from tests.support.coordinator import DENIED, FAILED, FakeTable
from tests.support.logs import events

KEY = "flowlog-instance/worker-1"
HERE, COPY = "boot-1:8:1", "boot-2:8:1"


class World:
    """Starts with one worker id."""

    def __init__(self) -> None:
        self.table = FakeTable()
        self.clock = FakeClock()

    def start(self, lock: str = HERE, host: str = "host-1") -> StartRecord:
        return StartRecord(self.table, "worker-1", lock, host, self.clock)

    def seconds_to_begin(self, start: StartRecord, each_second: Callable[[], object] = lambda: None) -> float:
        """Try each second until the start is the current one; return the seconds that took."""
        began = self.clock.now
        while not start.begin():
            each_second()
            self.clock.now += 1
        return self.clock.now - began

    @property
    def nonce(self) -> str:
        return self.table.items[KEY]["nonce"]


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_start_begins_at_once(world: World) -> None:
    """Nobody has its worker id."""
    start = world.start()

    assert not start.is_current()
    assert 0 == world.seconds_to_begin(start)
    assert start.is_current()
    assert start.beat()


def test_a_start_after_a_stop_in_order_begins_at_once(world: World) -> None:
    """Also on another machine: the last start has deleted its record."""
    first, second = world.start(), world.start(COPY)
    first.begin()
    first.end()

    assert 0 == world.seconds_to_begin(second)
    assert (False, True) == (first.is_current(), second.is_current())


def test_a_start_after_a_kill_begins_at_once_in_the_same_directory(world: World) -> None:
    """It holds the lock that the last start held, so the last has ended."""
    first, second = world.start(), world.start()
    first.begin()

    assert 0 == world.seconds_to_begin(second)
    assert (False, True) == (first.is_current(), second.is_current())
    assert not first.beat()


@pytest.mark.parametrize(("lock", "next_lock"), [(HERE, COPY), ("", "")], ids=["another machine", "unknown"])
def test_a_start_elsewhere_waits_whether_the_beat_stands_still(
    world: World, caplog: pytest.LogCaptureFixture, lock: str, next_lock: str
) -> None:
    """For twenty seconds, in which six beats are due."""
    caplog.set_level(logging.INFO)
    first, second = world.start(lock), world.start(next_lock, host="host-2")
    first.begin()

    assert 20 == world.seconds_to_begin(second)
    assert (False, True) == (first.is_current(), second.is_current())
    text = "Waiting whether the last start of this instance, which did not stop in order, is still running"
    fields = {"worker_id": "worker-1", "host": "host-1", "seconds": 20.0}
    assert [(logging.INFO, text, fields)] == events(caplog)


def test_a_beat_that_was_under_way_is_no_sign_of_life(world: World) -> None:
    """A start that has ended can have had one; the wait begins again."""
    first, second = world.start(), world.start(COPY)
    first.begin()
    last_beats = [first.beat]

    assert 21 == world.seconds_to_begin(second, lambda: last_beats.pop()() if last_beats else None)


def test_a_start_beside_another_ends_with_a_sentence(world: World) -> None:
    """It is the later start, so the earlier goes on undisturbed."""
    first, second = world.start(), world.start(COPY, "host-2")
    first.begin()
    nonce = world.nonce

    def beat_every_three_seconds() -> None:
        if world.clock.now % 3 == 0:
            first.beat()

    with pytest.raises(ConfigError) as refused:
        world.seconds_to_begin(second, beat_every_three_seconds)

    assert (
        "Another running instance, on host host-1, has the worker id worker-1: its state directory is a copy of this"
        " one, or this one of it; give each instance its own --state-dir." == str(refused.value)
    )
    assert nonce == world.nonce
    assert first.beat()


def test_of_two_starts_after_a_death_one_begins(world: World) -> None:
    """The other sees the beats of the first."""
    dead, one, two = world.start(), world.start("boot-3"), world.start("boot-4")
    dead.begin()
    for _ in range(20):
        assert not one.begin()
        assert not two.begin()
        world.clock.now += 1

    assert one.begin()
    assert not two.begin()
    with pytest.raises(ConfigError, match="Another running instance"):
        world.seconds_to_begin(two, one.beat)
    assert one.is_current()


def test_two_first_starts_do_not_both_begin(world: World) -> None:
    """The record is created once; the later start then sees the beats of the earlier."""
    first, second = world.start(), world.start(COPY)
    world.table.before_write.append(first.begin)

    assert not second.begin()
    assert first.is_current()


def test_a_beat_between_the_last_look_and_the_take_over_prevents_it(world: World) -> None:
    """The record is replaced only as it was seen."""
    first, second = world.start(), world.start(COPY)
    first.begin()
    for _ in range(20):
        assert not second.begin()
        world.clock.now += 1
    world.table.before_write.append(first.beat)

    assert not second.begin()
    assert first.is_current()


def test_a_few_reads_do_not_show_that_a_beat_stands_still(world: World) -> None:
    """While DynamoDB fails, or this process is stopped, the other start may have been unable to beat, or unseen."""
    first, second = world.start(), world.start(COPY)
    first.begin()
    second.begin()
    world.clock.now += 60

    assert not second.begin()
    assert 7 == world.seconds_to_begin(second)


def test_a_lost_answer_to_the_beginning_does_not_lock_a_start_out(world: World) -> None:
    """The repeated write fails, but the record has the nonce of the start already."""
    start = world.start()
    world.table.before_write.append(start.begin)

    assert not start.begin()
    assert start.begin()
    assert start.is_current()


def test_a_start_whose_record_is_gone_is_not_current(world: World) -> None:
    """A later start may have come and gone."""
    start = world.start()
    start.begin()
    world.table.delete(KEY, {"nonce": world.nonce})

    assert not start.is_current()
    assert not start.beat()


def test_the_record_of_a_later_start_is_not_deleted(world: World) -> None:
    """By a start that was silent, and ends."""
    first, second = world.start(), world.start()
    first.begin()
    second.begin()

    first.end()

    assert second.is_current()


@pytest.mark.parametrize("error", [FAILED, DENIED], ids=["failed", "denied"])
def test_a_record_that_cannot_be_deleted_is_a_warning(
    world: World, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The next start in this directory does not even have to wait."""
    start = world.start()
    start.begin()
    world.table.errors.append(error)

    start.end()

    text = "Start record not deleted; a start on another machine will wait a little"
    assert [(logging.WARNING, text, {"table": "flows-CoordinatorState", "error": error})] == events(caplog)


def test_each_start_has_its_own_nonce(world: World) -> None:
    """Even in the same directory."""
    nonces = set()
    for _ in range(5):
        world.start().begin()
        nonces.add(world.nonce)

    assert 5 == len(nonces)
