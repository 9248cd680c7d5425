"""Processors that die or hang, as the launcher sees them, second by second."""

from __future__ import annotations

import signal

from kcl_flowlog.launcher.inbox import Shard
from kcl_flowlog.launcher.watchdog import Watchdog


class Nursery:
    """Some processors, their clock, and what is done to them."""

    def __init__(self, stuck_after: float = 60.0) -> None:
        self.now = 1000.0
        self.deaths = 0
        self.is_writing = False
        self.alive = [Shard("shardId-0", 10, 0.0, self.now), Shard("shardId-1", 11, 0.0, self.now)]
        self.killed: list[tuple[int, int]] = []
        self.replaced = 0
        self.watchdog = Watchdog(
            self, self._replace, stuck_after, lambda: self.now, lambda *what: self.killed.append(what)
        )

    def _replace(self) -> None:
        self.replaced += 1

    def shards(self) -> list[Shard]:
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
    """Not while another one may be making its last commit, and once."""
    nursery = Nursery()
    nursery.alive.pop()
    nursery.deaths = 1
    nursery.step(3, 10)
    assert nursery.replaced == 0

    nursery.alive.clear()
    nursery.step(3)

    assert nursery.replaced == 1


def test_processors_that_all_took_leave_are_no_death() -> None:
    """An instance may hold no shard."""
    nursery = Nursery()
    nursery.alive.clear()
    nursery.step(100)

    assert nursery.replaced == 0


def test_deaths_under_the_last_daemon_are_forgotten() -> None:
    """The new one has no processors yet, and must not be replaced for that."""
    nursery = Nursery()
    nursery.alive.clear()
    nursery.deaths = 2
    nursery.watchdog.forget()
    nursery.step(5)

    assert nursery.replaced == 0


def test_a_processor_that_is_silent_for_too_long_is_killed() -> None:
    """And only that one."""
    nursery = Nursery()
    nursery.step(60, 10)
    assert nursery.killed == []

    nursery.step(1, 10)

    assert nursery.killed == [(11, signal.SIGKILL)]


def test_one_that_waits_for_its_denials_to_be_written_is_left_alone() -> None:
    """It is stdout that hangs; killing would only read the same again."""
    nursery = Nursery()
    nursery.is_writing = True
    nursery.step(500)

    assert nursery.killed == []


def test_a_launcher_that_was_stopped_itself_first_reads_what_was_sent() -> None:
    """SIGSTOP and SIGCONT of the launcher, or of the machine, is nobody's silence."""
    nursery = Nursery()
    nursery.step(5, 10, 11)
    nursery.now += 3600
    nursery.step(1)
    nursery.step(100, 10, 11)

    assert nursery.killed == []
