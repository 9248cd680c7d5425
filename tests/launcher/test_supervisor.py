"""Histories of a daemon, as data: what its runs do, when it starts, and what is counted."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import pytest

from kcl_flowlog.errors import CannotStart, GaveUp
from kcl_flowlog.launcher.supervisor import RESTART_REASONS, Supervisor
from tests.support.clocks import FakeClock
from tests.support.log_records import fields


@dataclass
class Life:
    """What one run will do; times are seconds since its start, `obeys_after` since the request to stop."""

    lasts: float = math.inf
    code: int = 1
    ready_after: float = math.inf
    obeys_after: float = math.inf
    says: tuple[str, ...] = ()


class FakeRun:
    """A run of the daemon that lives such a life, and notes what is done to it."""

    def __init__(self, pid: int, life: Life, clock: FakeClock) -> None:
        self._pid = pid
        self.tail = list(life.says)
        self.done: list[str] = []
        self._life = life
        self._clock = clock
        self._started_at = clock()
        self._ends_at = self._started_at + life.lasts

    @property
    def pid(self) -> int:
        return self._pid

    @property
    def is_ready(self) -> bool:
        return self._clock() >= self._started_at + self._life.ready_after

    def poll(self) -> int | None:
        return self._life.code if self._clock() >= self._ends_at else None

    def ask_to_stop(self) -> None:
        self.done.append("asked")
        self._ends_at = min(self._ends_at, self._clock() + self._life.obeys_after)

    def end(self) -> None:
        self.done.append("ended")


class Story:
    """A supervisor whose runs live the given lives; after the last, one that lasts for ever."""

    def __init__(self, *lives: Life, ready_timeout: float = math.inf) -> None:
        self.clock = FakeClock(0.0)
        self.runs: list[FakeRun] = []
        self.starts: list[float] = []
        self._lives = iter(lives)
        self.supervisor = Supervisor(self._start, self.clock, ready_timeout)

    def _start(self) -> FakeRun:
        life = next(self._lives, Life(ready_after=0))
        self.starts.append(self.clock.now)
        self.runs.append(FakeRun(100 + len(self.runs), life, self.clock))
        return self.runs[-1]

    def until(self, moment: float) -> Story:
        """Step once a second."""
        while self.clock.now < moment:
            self.supervisor.step()
            self.clock.now += 1
        return self

    @property
    def reasons(self) -> dict[str, int]:
        return {reason: count for reason, count in self.supervisor.restarts.items() if count}


NEVER_WORKS = Life(lasts=1)


@pytest.mark.parametrize(
    ("lives", "starts", "reasons"),
    [
        pytest.param([], [0], {}, id="a run that goes on is left alone"),
        pytest.param([Life(lasts=90, code=0)], [0, 91], {"not_initialised": 1}, id="exit 0 before ready is a failure"),
        pytest.param([Life(lasts=90, code=1)], [0, 91], {"not_initialised": 1}, id="exit 1 before ready"),
        pytest.param([Life(lasts=30, code=1, ready_after=5)], [0, 31], {"exited": 1}, id="exit 1 when ready"),
        pytest.param([Life(lasts=30, code=0, ready_after=5)], [0, 31], {"exited": 1}, id="exit 0 when ready"),
        pytest.param([Life(lasts=30, code=143, ready_after=5)], [0, 31], {"exited": 1}, id="an exit as after a signal"),
        pytest.param([Life(lasts=10, code=-9, ready_after=2)], [0, 11], {"killed": 1}, id="killed when ready"),
        pytest.param([Life(lasts=10, code=-11)], [0, 11], {"killed": 1}, id="killed before ready"),
        pytest.param([Life()], [0, 122], {"ready_timeout": 1}, id="never ready, never ends"),
        pytest.param([Life(ready_after=120)], [0], {}, id="ready at the last moment"),
        pytest.param(
            [NEVER_WORKS] * 8,
            [0, 2, 4, 6, 9, 14, 23, 40, 73],
            {"not_initialised": 8},
            id="waits double after the third",
        ),
        pytest.param(
            [*[NEVER_WORKS] * 4, Life(lasts=60, ready_after=1), NEVER_WORKS],
            [0, 2, 4, 6, 9, 70, 72],
            {"not_initialised": 5, "exited": 1},
            id="waits start anew after a good run",
        ),
    ],
)
def test_each_unplanned_end_is_followed_by_a_start(
    lives: list[Life], starts: list[float], reasons: dict[str, int]
) -> None:
    """Whatever a run's end, it is counted by its reason, and a new run starts after the wait."""
    story = Story(*lives, ready_timeout=120).until(400)

    assert (starts, reasons) == (story.starts, story.reasons)


def test_every_restart_reason_is_exposed_from_the_start() -> None:
    """A reason that has not occurred counts 0 instead of being absent."""
    assert dict.fromkeys(RESTART_REASONS, 0) == dict(Story().supervisor.restarts)


def test_nothing_of_a_run_is_left_before_the_next_starts() -> None:
    """A run that has ended, or never became ready, is cleared away."""
    story = Story(Life(lasts=10), Life(), ready_timeout=20).until(60)

    assert [["ended"], ["ended"], []] == [run.done for run in story.runs]


def test_the_supervisor_gives_up_after_ten_runs_that_were_never_ready() -> None:
    """It raises, with nothing left running."""
    story = Story(*[NEVER_WORKS] * 10)

    with pytest.raises(GaveUp, match="failed 10 times in a row"):
        story.until(3600)

    assert (10, ["ended"], 0) == (len(story.runs), story.runs[-1].done, story.supervisor.pid)


def test_the_log_has_the_last_output_of_a_run_that_was_never_ready(caplog: pytest.LogCaptureFixture) -> None:
    """Three lines of it, as errors; a run that was ready has said its own in the log."""
    caplog.set_level(logging.ERROR)
    failed = Life(lasts=1, says=("first", "second", "third", "fourth"))

    Story(failed, Life(lasts=9, ready_after=1, says=("other",))).until(30)

    lines = [fields(record)["line"] for record in caplog.records if "last output" in record.getMessage()]
    assert ["second", "third", "fourth"] == lines


def test_the_log_says_why_a_run_ended_and_when_the_next_starts(caplog: pytest.LogCaptureFixture) -> None:
    """With the exit code, if the daemon ended by itself."""
    Story(Life(lasts=1, code=-9), Life(ready_after=60), ready_timeout=30).until(60)

    assert [
        {"reason": "killed", "exit_code": -9, "pause_seconds": 1.0},
        {"reason": "ready_timeout", "exit_code": None, "pause_seconds": 1.0},
    ] == [fields(record) for record in caplog.records]


def test_it_is_up_while_an_initialised_daemon_runs() -> None:
    """Up is neither a daemon that still initialises, nor the wait after its end."""
    story = Story(Life(lasts=10, ready_after=5))

    seen = []
    for moment in (1, 4, 6, 9, 11):
        story.until(moment)
        seen.append((moment, story.supervisor.is_up, story.supervisor.pid))

    assert [(1, False, 100), (4, False, 100), (6, True, 100), (9, True, 100), (11, False, 0)] == seen


def test_a_planned_stop_lets_the_daemon_take_its_time() -> None:
    """It requests the stop, waits for the end, and leaves nothing."""
    story = Story(Life(ready_after=1, obeys_after=5)).until(10)
    waited: list[float] = []

    def is_over() -> bool:
        assert ["asked"] == story.runs[0].done
        waited.append(story.clock.now)
        story.clock.now += 1
        return False

    story.supervisor.stop(is_over)

    assert [10, 11, 12, 13, 14] == waited
    assert (["asked", "ended"], 0, {}) == (story.runs[0].done, story.supervisor.pid, story.reasons)


def test_a_daemon_that_does_not_stop_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """When the time is over; the log says what that costs."""
    story = Story(Life(ready_after=1)).until(10)
    answers = iter([False, False, True])

    story.supervisor.stop(lambda: next(answers))

    assert [] == list(answers)
    assert ["asked", "ended"] == story.runs[0].done
    assert ["WARNING"] == [record.levelname for record in caplog.records]


def test_a_daemon_that_stops_in_time_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It is what every stop should look like."""
    story = Story(Life(ready_after=1, obeys_after=0)).until(10)

    story.supervisor.stop(lambda: False)

    assert [] == caplog.records


def waiting() -> bool:
    """Fail: nothing is there to wait for."""
    pytest.fail("waited")


def test_a_stop_without_a_daemon_does_nothing() -> None:
    """Before the first start, and in the pause before the next."""
    before_the_first = Story()
    before_the_first.supervisor.stop(waiting)
    between_two = Story(Life(lasts=1)).until(2)
    between_two.supervisor.stop(waiting)

    assert ([], ["ended"]) == (before_the_first.runs, between_two.runs[0].done)


def test_a_daemon_that_only_waits_is_replaced() -> None:
    """It is ended at once, counted under its reason once, and another starts after the pause."""
    story = Story(Life(ready_after=1), Life(ready_after=1)).until(100)

    story.supervisor.replace()
    story.supervisor.replace()

    assert (["ended"], {"processor_died": 1}) == (story.runs[0].done, story.reasons)
    story.until(103)
    assert 2 == len(story.runs)


def test_a_start_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A full disk is no reason to stop serving what was counted; the pauses grow."""
    clock = FakeClock(0.0)
    attempts: list[float] = []

    def start() -> FakeRun:
        attempts.append(clock.now)
        raise CannotStart("database or disk is full")

    supervisor = Supervisor(start, clock, 60)
    for clock.now in range(8):
        supervisor.step()

    assert ([0, 1, 2, 3, 5], 5) == (attempts, supervisor.restarts["not_started"])
    assert {"error": "database or disk is full", "pause_seconds": 1.0} == fields(caplog.records[0])
