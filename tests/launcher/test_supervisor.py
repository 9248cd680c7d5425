"""Histories of a daemon, as data: what its runs do, when it is started, and what is counted."""

import logging
import math
from dataclasses import dataclass

import pytest

from kcl_flowlog.errors import CannotStart, GaveUp
from kcl_flowlog.launcher.supervisor import RESTART_REASONS, Supervisor


class FakeClock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@dataclass
class Life:
    """What one run will do; times are seconds since its start, `obeys_after` since it is asked to stop."""

    lasts: float = math.inf
    code: int = 1
    ready_after: float = math.inf
    obeys_after: float = math.inf
    says: tuple[str, ...] = ()


class FakeRun:
    """A run of the daemon that lives such a life, and notes what is done to it."""

    def __init__(self, pid, life, clock):
        self.pid = pid
        self.tail = list(life.says)
        self.done = []
        self._life = life
        self._clock = clock
        self._started_at = clock()
        self._ends_at = self._started_at + life.lasts

    @property
    def is_ready(self):
        return self._clock() >= self._started_at + self._life.ready_after

    def poll(self):
        return self._life.code if self._clock() >= self._ends_at else None

    def ask_to_stop(self):
        self.done.append("asked")
        self._ends_at = min(self._ends_at, self._clock() + self._life.obeys_after)

    def end(self):
        self.done.append("ended")


class Story:
    """A supervisor whose runs live the given lives; after the last, one that lasts for ever."""

    def __init__(self, *lives, ready_timeout=math.inf):
        self.clock = FakeClock()
        self.runs = []
        self.starts = []
        self._lives = iter(lives)
        self.supervisor = Supervisor(self._start, self.clock, ready_timeout)

    def _start(self):
        life = next(self._lives, Life(ready_after=0))
        self.starts.append(self.clock.now)
        self.runs.append(FakeRun(100 + len(self.runs), life, self.clock))
        return self.runs[-1]

    def until(self, moment):
        """Step once a second."""
        while self.clock.now < moment:
            self.supervisor.step()
            self.clock.now += 1
        return self

    @property
    def reasons(self):
        return {reason: count for reason, count in self.supervisor.restarts.items() if count}


NEVER_WORKS = Life(lasts=1)


@pytest.mark.parametrize(
    ("lives", "starts", "reasons"),
    [
        pytest.param([], [0], {}, id="one that runs is left alone"),
        pytest.param([Life(lasts=90, code=0)], [0, 91], {"not_initialised": 1}, id="exit 0 before ready is a failure"),
        pytest.param([Life(lasts=90, code=1)], [0, 91], {"not_initialised": 1}, id="exit 1 before ready"),
        pytest.param([Life(lasts=30, code=1, ready_after=5)], [0, 31], {"exited": 1}, id="exit 1 when ready"),
        pytest.param([Life(lasts=30, code=0, ready_after=5)], [0, 31], {"exited": 1}, id="exit 0 when ready"),
        pytest.param([Life(lasts=30, code=143, ready_after=5)], [0, 31], {"exited": 1}, id="a stop not asked for"),
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
def test_each_end_that_nobody_asked_for_is_followed_by_a_start(lives, starts, reasons):
    """Whatever a run's end, it is counted by its reason, and a new run starts after the wait."""
    story = Story(*lives, ready_timeout=120).until(400)
    assert (story.starts, story.reasons) == (starts, reasons)


def test_every_restart_reason_is_exposed_from_the_start():
    """A reason that has not occurred counts 0 instead of being absent."""
    assert dict(Story().supervisor.restarts) == dict.fromkeys(RESTART_REASONS, 0)


def test_nothing_of_a_run_is_left_before_the_next_one_starts():
    """A run that has ended, or never became ready, is cleared away."""
    story = Story(Life(lasts=10), Life(), ready_timeout=20).until(60)
    assert [run.done for run in story.runs] == [["ended"], ["ended"], []]


def test_ten_runs_in_vain_are_given_up():
    """After the tenth run that never became ready the supervisor raises, with nothing left running."""
    story = Story(*[NEVER_WORKS] * 10)

    with pytest.raises(GaveUp, match="failed 10 times in a row"):
        story.until(3600)

    assert len(story.runs) == 10
    assert story.runs[-1].done == ["ended"]
    assert story.supervisor.pid == 0


def test_the_last_words_of_a_run_in_vain_are_told(caplog):
    """What the daemon said before it failed to start is in the log as errors; of a run that worked it is not."""
    with caplog.at_level(logging.ERROR, logger="kcl_flowlog.launcher.supervisor"):
        Story(Life(lasts=1, says=("one", "two", "three", "four")), Life(lasts=9, ready_after=1, says=("other",))).until(
            30
        )

    words = [record.getMessage() for record in caplog.records if "last words" in record.getMessage()]
    assert words == [f"The daemon's last words: {word}" for word in ("two", "three", "four")]


def test_it_is_up_while_an_initialised_daemon_runs():
    """Up is neither a daemon that still initialises, nor the wait after its end."""
    story = Story(Life(lasts=10, ready_after=5))
    seen = []
    for moment in (1, 4, 6, 9, 11):
        story.until(moment)
        seen.append((moment, story.supervisor.is_up, story.supervisor.pid))
    assert seen == [(1, False, 100), (4, False, 100), (6, True, 100), (9, True, 100), (11, False, 0)]


def test_a_stop_asks_waits_and_clears_away():
    """A planned stop asks first, lets the daemon take its time, and then leaves nothing of it."""
    story = Story(Life(ready_after=1, obeys_after=5)).until(10)
    waited = []

    def is_over():
        assert story.runs[0].done == ["asked"]
        waited.append(story.clock.now)
        story.clock.now += 1
        return False

    story.supervisor.stop(is_over)

    assert waited == [10, 11, 12, 13, 14]
    assert story.runs[0].done == ["asked", "ended"]
    assert (story.supervisor.pid, story.reasons) == (0, {})


def test_a_daemon_that_hangs_is_ended_all_the_same(caplog):
    """When the grace is over the daemon is killed, and the log says what that costs."""
    story = Story(Life(ready_after=1)).until(10)
    answers = iter([False, False, True])

    story.supervisor.stop(lambda: next(answers))

    assert next(answers, "all asked") == "all asked"
    assert story.runs[0].done == ["asked", "ended"]
    assert "did not stop in time" in caplog.text


def test_a_stop_without_a_daemon_does_nothing():
    """Before the first start, and while a restart is waited for, there is nobody to ask or to wait for."""
    before_the_first = Story()
    before_the_first.supervisor.stop(lambda: pytest.fail("waited"))
    between_two = Story(Life(lasts=1)).until(2)
    between_two.supervisor.stop(lambda: pytest.fail("waited"))
    assert (before_the_first.runs, between_two.runs[0].done) == ([], ["ended"])


def test_a_daemon_that_waits_in_vain_is_replaced():
    """It is ended at once, counted under its reason, and another one is started after the pause."""
    story = Story(Life(ready_after=1), Life(ready_after=1)).until(100)

    story.supervisor.replace()

    assert story.runs[0].done == ["ended"]
    story.until(103)
    assert (len(story.runs), story.reasons) == (2, {"processor_died": 1})
    story.supervisor.replace()
    story.supervisor.replace()
    assert story.reasons == {"processor_died": 2}


def test_a_daemon_that_cannot_be_started_is_tried_again_later(caplog):
    """A full disk is no reason to stop serving what was counted; the pauses grow."""
    clock = FakeClock()
    started = []

    def start():
        started.append(clock.now)
        raise CannotStart("database or disk is full")

    supervisor = Supervisor(start, clock, 60)
    for moment in range(8):
        clock.now = float(moment)
        supervisor.step()

    assert started == [0, 1, 2, 3, 5]
    assert supervisor.restarts["not_started"] == 5
    assert "The daemon can't be started (database or disk is full)" in caplog.text
