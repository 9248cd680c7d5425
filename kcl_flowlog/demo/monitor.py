"""Follow a running demo until its end, then compare what was generated with what was counted.

`Monitor` shows the status, ends the traffic, waits for the last counts, and returns
the exit status. Raises `DemoError` if a part of the demo has died.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kcl_flowlog.demo.comparison import compare, summary
from kcl_flowlog.demo.display import Display
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.status import Status, Step, step_of
from kcl_flowlog.demo.stop_request import StopRequest, Urgency
from kcl_flowlog.demo.story import StoryClock, titles_from
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.demo.world import World

EQUAL, DIFFERENT = 0, 1


@dataclass(frozen=True)
class Times:
    """How long to do what, in seconds.

    Traffic ends `duration` after the start of the demo, or never if it is None.
    The last counts may take `settle`, and must then stay equal for `confirm`. The
    monitor reads the page every `show_interval`, and every `settle_interval` while
    it waits for the last counts.
    """

    duration: float | None = None
    settle: float = 90.0
    confirm: float = 3.0
    show_interval: float = 1.0
    settle_interval: float = 0.5


class Monitor:
    """Watches the parts of the demo while all of them run.

    `begin` is the start of the demo on `clock`. `read_page` returns the metrics
    page, or None if it does not answer. `check` raises `DemoError` if a process
    has died. `story` begins once the flows that waited are counted, and the traffic
    ends with it.
    """

    def __init__(
        self,
        world: World,
        producer: Producer,
        display: Display,
        read_page: Callable[[], Page | None],
        check: Callable[[], None],
        say: Callable[[str], None],
        stop_request: StopRequest,
        times: Times,
        begin: float,
        clock: Callable[[], float] = time.monotonic,
        story: StoryClock | None = None,
    ) -> None:
        self._world = world
        self._producer = producer
        self._display = display
        self._read_page = read_page
        self._check_processes = check
        self._say = say
        self._stop_request = stop_request
        self._times = times
        self._begin = begin
        self._clock = clock
        self._story = story
        self._page: Page | None = None
        self._step = Step.STARTING
        self._step_begin = clock()

    def run(self) -> int:
        """Show the traffic until the end, then compare; return the exit status."""
        with self._display:
            self._show_traffic()
            self._producer.stop()
            self._check()
            generated = self._producer.tally()
            was_stopped = self._stop_request.urgency > Urgency.NONE
            missed = "" if self._story is None or was_stopped else titles_from(self._story.second)
            # A user who has ended the traffic still waits for the comparison, and can ask again.
            abort = Urgency.AT_ONCE if was_stopped else Urgency.FINISH
            has_counts = step_of(self._page) is Step.COUNTING
            is_comparable = bool(generated.traffic) and (has_counts or not was_stopped)
            if is_comparable:
                self._wait_for_last_counts(generated, abort)
        if missed:
            self._say(
                f"The traffic ended before these acts began: {missed}. Without --duration the demo ends with the story."
            )
        if not is_comparable:
            self._say("Stopped before anything was counted, so there is nothing to compare.")
            return EQUAL
        return self._compare(generated, is_aborted=self._stop_request.urgency >= abort)

    def _compare(self, generated: Tally, *, is_aborted: bool) -> int:
        counted = (self._page or Page()).counted
        self._display.show_comparison(compare(self._world, generated, counted))
        self._say(summary(self._world, generated, counted))
        if counted == generated:
            return EQUAL
        if is_aborted:
            self._say("Stopped before everything was counted, so a difference means nothing.")
            return EQUAL
        return DIFFERENT

    def _show_traffic(self) -> None:
        """Show the status until the time is over or the user stops the demo."""
        duration = self._times.duration
        end = float("inf") if duration is None else self._begin + duration
        while True:
            self._show("", self._producer.tally())
            pause = min(self._times.show_interval, max(0.0, end - self._clock()))
            is_over = self._story is not None and self._story.is_over
            if is_over or self._stop_request.wait(pause) or self._clock() >= end:
                return

    def _wait_for_last_counts(self, generated: Tally, abort: Urgency) -> None:
        """Wait until the page shows `generated` and keeps doing so, the time is up, or a request aborts the wait."""
        deadline = self._clock() + self._times.settle
        phase = f"Traffic ended; waiting for the last counts, at most {self._times.settle:g} s."
        equal_since: float | None = None
        while not self._stop_request.wait(self._times.settle_interval, abort) and self._clock() < deadline:
            self._show(phase, generated)
            now = self._clock()
            if self._page is None or self._page.counted != generated:
                equal_since = None
            elif equal_since is None:
                equal_since = now
            elif now - equal_since >= self._times.confirm:
                return  # a record that is counted twice would show by now

    def _show(self, phase: str, generated: Tally) -> None:
        """Check every part, read the page and show the status; an unanswered read keeps the page before it."""
        self._check()
        page = self._read_page()
        self._page = page or self._page
        now = self._clock()
        if step_of(page) is not self._step:
            self._step, self._step_begin = step_of(page), now
        status = Status(now - self._begin, page, generated, phase, now - self._step_begin)
        if self._story is not None:
            if status.is_caught_up:
                self._story.begin()
            status = replace(status, story_second=self._story.second)
        self._display.show(status)

    def _check(self) -> None:
        self._check_processes()
        if self._producer.failure is not None:
            raise DemoError(f"The traffic stopped: {self._producer.failure}") from self._producer.failure
