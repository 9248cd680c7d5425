"""The life of an instance among parts that only note their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError, FlowlogError
from kcl_flowlog.launcher.main_loop import MainLoop
from kcl_flowlog.launcher.signals import StopRequests
from tests.support.clocks import FakeClock
from tests.support.launcher_fakes import CallLog

GRACE, SCRAPE_TIMEOUT = 30.0, 20.0
STEPS = ["threads.check", "beats.check", "own_shards.step", "supervisor.step", "watchdog.step", "housekeeping.step"]


class FakeStop(StopRequests):
    """Lets time pass, and returns True for the waits whose numbers are given."""

    def __init__(self, clock: FakeClock, *requests: int) -> None:
        super().__init__()
        self._clock = clock
        self._requests = requests
        self.waits = 0

    def wait(self, seconds: float) -> bool:
        self.waits += 1
        self._clock.sleep(seconds)
        return self.waits in self._requests


class Life:
    """A main loop; a stop is requested at the waits with the numbers `stops`."""

    def __init__(self, *stops: int, **replaced: Any) -> None:
        self.calls: list[str] = []
        self.clock = FakeClock(0.0)
        self.stop = FakeStop(self.clock, *stops)
        self.deadlines: dict[str, float] = {}
        parts: dict[str, Any] = {
            name: CallLog(name, self.calls)
            for name in (
                *("inbox", "web_server", "supervisor", "watchdog", "leader_lock", "beats"),
                *("own_shards", "open_shards", "sampler", "who", "threads"),
            )
        }
        parts["inventory"] = CallLog("inventory", self.calls, True)
        parts["housekeeping"] = CallLog("housekeeping", self.calls, finish=self._finish)
        parts["final_scrape"] = CallLog("final_scrape", self.calls, wait_until=self._wait_until)
        parts["clock"] = self.clock
        parts["stop"] = self.stop
        self.loop = MainLoop(**{**parts, **replaced}, shutdown_grace=GRACE, final_scrape_timeout=SCRAPE_TIMEOUT)

    def _finish(self, deadline: float, wait: Callable[[float], bool]) -> None:
        self.calls.append("housekeeping.finish")
        self.deadlines["finish"] = deadline
        self.clock.now += 5

    def _wait_until(self, deadline: float) -> None:
        self.calls.append("final_scrape.wait_until")
        self.deadlines["scrape"] = deadline


def test_it_gives_signs_of_life_listens_to_processors_settles_what_was_left_then_serves_scrapes() -> None:
    """All before anything is counted; and a page may show what was left."""
    life = Life()

    life.loop.start()

    assert ["threads.watch", "beats.start", "inbox.start", "housekeeping.begin", "web_server.start"] == life.calls


def test_every_turn_checks_the_start_and_steps_the_shards_the_supervisor_the_watchdog_and_the_chores() -> None:
    """Until a stop is requested: at the third wait, after two turns."""
    life = Life(3)

    life.loop.run()

    assert [
        "inventory.wait_for_inventory",
        "inventory.start",
        "open_shards.start",
        "sampler.start",
        "who.start",
        *STEPS,
        *STEPS,
    ] == life.calls[:17]


def test_a_stop_goes_in_order() -> None:
    """The last checkpoints, the leader's lock, the start record, what was left, and the last scrape."""
    life = Life(1)

    life.loop.run()

    assert [
        "supervisor.stop",
        "leader_lock.release",
        "beats.stop",
        "housekeeping.finish",
        "final_scrape.wait_until",
    ] == life.calls[5:]


def test_the_last_chores_get_half_of_the_time_for_the_final_scrape() -> None:
    """Both count from the end of the daemon."""
    life = Life(1)

    life.loop.run()

    ended_at = 0.2
    assert {"finish": ended_at + SCRAPE_TIMEOUT / 2, "scrape": ended_at + SCRAPE_TIMEOUT} == life.deadlines


class HangingSupervisor:
    """A supervisor whose daemon does not stop by itself."""

    def __init__(self) -> None:
        self.waits = 0

    def stop(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            self.waits += 1


def test_a_daemon_that_does_not_stop_gets_its_grace_and_ten_seconds() -> None:
    """It needs the ten seconds beside the grace of the processors."""
    life = Life(1, supervisor=HangingSupervisor())

    life.loop.run()

    assert 40.0 <= life.clock.now - 5 <= 40.6


def test_a_second_signal_ends_the_wait_for_the_daemon() -> None:
    """The user is in a hurry."""
    supervisor = HangingSupervisor()
    life = Life(1, 4, supervisor=supervisor)

    life.loop.run()

    assert 2 == supervisor.waits


def test_a_stop_before_the_first_inventory_starts_nothing() -> None:
    """There is no daemon to stop, and nothing new to scrape."""
    life = Life(inventory=CallLog("inventory", [], False))

    life.loop.run()

    assert [] == life.calls


@pytest.mark.parametrize(
    ("part", "method"), [("beats", "check"), ("supervisor", "step"), ("watchdog", "step"), ("housekeeping", "step")]
)
def test_an_instance_that_gives_up_ends_its_daemon_and_releases_the_leaders_lock(part: str, method: str) -> None:
    """Another instance can lead at once; the error is passed on, and there is no orderly stop."""

    def give_up() -> None:
        raise FlowlogError("The ledger is damaged.")

    calls: list[str] = []
    hurried: list[bool] = []

    def stop(is_over: Callable[[], bool]) -> None:
        calls.append("supervisor.stop")
        hurried.append(is_over())

    parts: dict[str, Any] = {"supervisor": CallLog("supervisor", [], stop=stop)}
    parts.setdefault(part, CallLog(part, []))
    setattr(parts[part], method, give_up)
    life = Life(leader_lock=CallLog("leader_lock", calls), **parts)

    with pytest.raises(FlowlogError, match="damaged"):
        life.loop.run()

    assert (["supervisor.stop", "leader_lock.release"], [True]) == (calls, hurried)
    assert "housekeeping.finish" not in life.calls


def test_an_inventory_that_is_forbidden_is_passed_on() -> None:
    """There was no daemon yet, so its lock is left alone."""

    def refuse(_: object) -> bool:
        raise ConfigError("EC2 does not permit to list the subnets.")

    life = Life(inventory=CallLog("inventory", [], wait_for_inventory=refuse))

    with pytest.raises(ConfigError):
        life.loop.run()

    assert [] == life.calls


def test_nothing_is_left_after_the_end() -> None:
    """Whatever has started, or not."""
    life = Life()

    life.loop.close()

    assert [
        "supervisor.stop",
        "beats.stop",
        "inbox.stop",
        "inventory.stop",
        "open_shards.stop",
        "sampler.stop",
        "who.stop",
        "web_server.stop",
        "threads.stop",
    ] == life.calls
