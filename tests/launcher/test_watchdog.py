"""Processors that die or hang, as the launcher sees them, second by second."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from kcl_flowlog.launcher.inbox import HeldShard
from kcl_flowlog.launcher.watchdog import Watchdog
from tests.support.log_records import fields


class Watched:
    """Some processors, their clock, and what is done to them."""

    def __init__(self, stuck_after: float = 60.0) -> None:
        self.now = 1000.0
        self.deaths = 0
        self.is_writing_denials = False
        self.alive = [HeldShard("shardId-0", 10, 0.0, self.now), HeldShard("shardId-1", 11, 0.0, self.now)]
        self.killed: list[tuple[int, int]] = []
        self.replaced = 0
        self.kill: Callable[[int, int], None] = lambda *what: self.killed.append(what)
        self.watchdog = Watchdog(
            self, self._replace, stuck_after, lambda: self.now, lambda pid, number: self.kill(pid, number)
        )

    def _replace(self) -> None:
        self.replaced += 1

    def shards(self) -> list[HeldShard]:
        return self.alive

    def step(self, seconds: int, *heard: int) -> None:
        """Let time go by, in which the processors with these pids go on telling."""
        for _ in range(seconds):
            self.now += 1
            for shard in self.alive:
                if shard.pid in heard:
                    shard.heard_at = self.now
            self.watchdog.step()


def test_a_daemon_is_replaced_once_the_last_of_its_processors_is_gone() -> None:
    """Not while another processor may be making its last commit."""
    watched = Watched()
    watched.alive.pop()
    watched.deaths = 1
    watched.step(3, 10)
    before = watched.replaced

    watched.alive.clear()
    watched.step(1)

    assert (0, 1) == (before, watched.replaced)


def test_a_new_daemon_is_not_replaced_for_the_deaths_under_the_last() -> None:
    """It has no processors yet; the inbox forgets the deaths when it starts."""
    watched = Watched()
    watched.alive.clear()
    watched.deaths = 2
    watched.step(1)
    watched.deaths = 0
    watched.step(5)

    assert 1 == watched.replaced


def test_processors_that_all_said_farewell_are_no_death() -> None:
    """An instance may hold no shard."""
    watched = Watched()
    watched.alive.clear()
    watched.step(100)

    assert 0 == watched.replaced


def test_a_processor_that_is_silent_for_too_long_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    """And only that processor; the log names its shard."""
    watched = Watched()
    watched.step(60, 10)
    before = list(watched.killed)

    watched.step(1, 10)

    assert ([], [(11, signal.SIGKILL)]) == (before, watched.killed)
    assert ["shardId-1"] == [fields(record)["shard_id"] for record in caplog.records]


def test_a_processor_that_has_just_ended_is_no_error() -> None:
    """It was silent, and then ended by itself."""

    def fail(_: int, __: int) -> None:
        raise ProcessLookupError

    watched = Watched()
    watched.kill = fail

    watched.step(61, 10)


def test_a_processor_that_waits_for_its_denials_to_be_written_is_left_alone() -> None:
    """Stdout hangs, not the processor; after a kill the same records would come again."""
    watched = Watched()
    watched.is_writing_denials = True
    watched.step(500)

    assert [] == watched.killed


def test_a_launcher_that_was_stopped_itself_first_reads_what_was_sent() -> None:
    """After SIGSTOP and SIGCONT of the launcher, or of the machine, nobody has been silent."""
    watched = Watched()
    watched.step(5, 10, 11)
    watched.now += 3600
    watched.step(1)
    watched.step(100, 10, 11)

    assert [] == watched.killed


def test_a_processor_that_stays_silent_after_such_a_stop_is_killed() -> None:
    """Half a minute is enough to read what was sent."""
    watched = Watched()
    watched.now += 3600
    watched.step(30)
    before = list(watched.killed)

    watched.step(1)

    assert ([], [10, 11]) == (before, [pid for pid, _ in watched.killed])


def test_a_launcher_that_has_just_started_has_nothing_to_catch_up_with() -> None:
    """A short --stuck-after holds from the start."""
    watched = Watched(stuck_after=5.0)
    watched.step(6, 10)

    assert [11] == [pid for pid, _ in watched.killed]
