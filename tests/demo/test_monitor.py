"""What the demo waits for, and what it compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import pytest

from kcl_flowlog.demo.comparison import ComparedSubnet
from kcl_flowlog.demo.errors import DemoError
from kcl_flowlog.demo.monitor import DIFFERENT, EQUAL, Monitor, Times
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.producer import Producer
from kcl_flowlog.demo.status import Status
from kcl_flowlog.demo.stop_request import StopRequest, Urgency
from kcl_flowlog.demo.story import LENGTH, NAT, STOPPED, StoryClock
from kcl_flowlog.demo.tally import Tally
from tests.support.demo_fakes import WORLD, ScriptedClock, a_tally


class FakeDisplay:
    """Keeps what it has to show."""

    def __init__(self) -> None:
        self.shown: list[Status] = []
        self.compared: Sequence[ComparedSubnet] = []

    def __enter__(self) -> FakeDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: Status) -> None:
        self.shown.append(status)

    def show_comparison(self, subnets: Sequence[ComparedSubnet]) -> None:
        self.compared = subnets


class FakeProducer(Producer):
    """Has generated what it will."""

    def __init__(self, generated: Tally, failure: Exception | None) -> None:
        self.failure = failure
        self.generated = generated
        self.is_stopped = False

    def stop(self) -> None:
        self.is_stopped = True

    def tally(self) -> Tally:
        return self.generated


class Outcome(NamedTuple):
    """What a run of the monitor has left."""

    status: int
    said: list[str]
    display: FakeDisplay
    seconds: float


def run(
    pages: dict[float, Page | None],
    duration: float | None = 0.0,
    requests: dict[float, Urgency] | None = None,
    generated: Tally | None = None,
    failure: Exception | None = None,
    check: Callable[[], None] = lambda: None,
    is_story: bool = False,
) -> Outcome:
    """Run a monitor; `pages` and `requests` say what holds from which second on."""
    clock = ScriptedClock()
    request = StopRequest(clock=clock, sleep=clock.sleep)
    for second, urgency in (requests or {}).items():
        if second == 0:
            request.urgency = urgency
        clock.at(second, partial(setattr, request, "urgency", urgency))
    said: list[str] = []
    display, producer = FakeDisplay(), FakeProducer(a_tally(3) if generated is None else generated, failure)

    def page() -> Page | None:
        return [shown for second, shown in pages.items() if second <= clock.now][-1]

    times = Times(duration=duration, settle=90, confirm=3)
    story = StoryClock(clock) if is_story else None
    monitor = Monitor(WORLD, producer, display, page, check, said.append, request, times, clock.now, clock, story)
    status = monitor.run()
    assert producer.is_stopped
    return Outcome(status, said, display, clock.now)


def test_equal_figures_are_a_success() -> None:
    """Once the page shows what was generated, and keeps doing so, the status is 0."""
    outcome = run({0: None, 5: Page(a_tally(1)), 10: Page(a_tally(3))})
    assert EQUAL == outcome.status
    assert ["Generated and counted are equal to the last digit; log events: 3 counted."] == outcome.said
    assert outcome.display.compared[-1].generated == outcome.display.compared[-1].counted
    assert 13 <= outcome.seconds < 15


def test_missing_figures_are_a_failure() -> None:
    """If something is missing when the time is up, the status is 1 and the sentence names it."""
    outcome = run({0: Page(a_tally(2))})
    assert DIFFERENT == outcome.status
    assert "DIFFER: subnets public-a; log events counted: 2 instead of 3" in outcome.said[0]
    assert 90 <= outcome.seconds < 91


def test_figures_that_grow_after_they_were_equal_are_a_failure() -> None:
    """The monitor sees a record that is counted twice after the first equality."""
    assert DIFFERENT == run({0: Page(a_tally(3)), 2: Page(a_tally(6))}).status


def test_a_page_that_never_answers_is_a_failure() -> None:
    """Without a page nothing is counted."""
    outcome = run({0: None})
    assert DIFFERENT == outcome.status
    assert 0 == outcome.display.compared[-1].counted.flows


def test_traffic_runs_for_its_duration() -> None:
    """The traffic ends after the duration; a status is shown every second until then."""
    outcome = run({0: Page(a_tally(3))}, duration=20)
    assert list(range(20)) == [round(status.seconds) for status in outcome.display.shown if not status.phase]
    assert 23 <= outcome.seconds < 25


def test_the_story_begins_with_the_counts_and_ends_the_traffic() -> None:
    """What waited in the stream during the start is no part of the story."""
    outcome = run({0: None, 20: Page(a_tally(1)), 40: Page(a_tally(3))}, duration=None, is_story=True)
    seconds = [status.story_second for status in outcome.display.shown if not status.phase]
    assert ([-1.0] * 40, list(range(LENGTH + 1))) == (seconds[:40], seconds[40:])
    assert EQUAL == outcome.status


@pytest.mark.parametrize(
    ("duration", "missed"),
    [
        # The story begins at second 40; see below.
        (20, "Quiet traffic; A burst of rejects; A port scan; A spray from many sources; S3 through NAT;"),
        (40 + NAT.start - 1, "S3 through NAT; A stopped interface."),
        (40 + STOPPED.start, "A stopped interface."),
        (40 + STOPPED.start + 1, ""),
        (None, ""),
    ],
)
def test_a_duration_that_ends_a_story_names_the_acts_that_did_not_begin(duration: float | None, missed: str) -> None:
    outcome = run({0: None, 40: Page(a_tally(3))}, duration=duration, is_story=True)

    sentence = f"The traffic ended before these acts began: {missed}"
    assert [missed != ""] == [any(line.startswith(sentence) for line in outcome.said)]
    assert (EQUAL, 2 if missed else 1) == (outcome.status, len(outcome.said))


def test_a_user_who_stops_a_story_needs_no_list_of_what_is_missing() -> None:
    outcome = run({0: Page(a_tally(3))}, duration=None, requests={10: Urgency.FINISH}, is_story=True)

    assert ["Generated and counted are equal to the last digit; log events: 3 counted."] == outcome.said


def test_the_status_has_the_time_of_the_current_step() -> None:
    """The time of a step begins with the first page that shows the step."""
    outcome = run({0: None, 5: Page(), 12: Page(daemon_up=True), 15: Page(a_tally(3))}, duration=16)
    shown = {round(status.seconds): round(status.step_seconds) for status in outcome.display.shown if not status.phase}
    assert (4, 0, 6, 0, 2, 0) == tuple(shown[second] for second in (4, 5, 11, 12, 14, 15))


def test_a_first_request_still_waits_for_the_figures() -> None:
    """A single Ctrl-C ends the traffic; the demo still compares what was sent."""
    outcome = run({0: Page(a_tally(1)), 20: Page(a_tally(3))}, duration=None, requests={10: Urgency.FINISH})
    assert EQUAL == outcome.status
    assert "equal to the last digit" in outcome.said[0]
    assert 23 <= outcome.seconds < 25


@pytest.mark.parametrize(
    "requests",
    [{10: Urgency.AT_ONCE}, {5: Urgency.FINISH, 10: Urgency.AT_ONCE}],
    ids=["SIGTERM", "second Ctrl-C"],
)
def test_a_request_to_stop_at_once_ends_the_wait(requests: dict[float, Urgency]) -> None:
    """The demo compares what there is, and a difference is no failure."""
    outcome = run({0: Page(a_tally(1))}, duration=None, requests=requests)
    assert EQUAL == outcome.status
    assert ["Stopped before everything was counted, so a difference means nothing."] == outcome.said[1:]
    assert 10 <= outcome.seconds < 11


def test_a_request_after_the_duration_ends_the_wait() -> None:
    """A single Ctrl-C while the demo waits for the last figures ends the wait."""
    outcome = run({0: Page(a_tally(1))}, duration=0, requests={10: Urgency.FINISH})
    assert EQUAL == outcome.status
    assert 10 <= outcome.seconds < 11


def test_without_counts_a_stop_compares_nothing() -> None:
    """Ctrl-C while the KCL initialises ends the demo without a comparison."""
    outcome = run({0: Page()}, requests={0: Urgency.FINISH})
    assert EQUAL == outcome.status
    assert ["Stopped before anything was counted, so there is nothing to compare."] == outcome.said
    assert [] == outcome.display.compared


def test_without_traffic_there_is_nothing_to_compare() -> None:
    """A duration that is over before the first record leaves nothing to compare."""
    outcome = run({0: Page()}, generated=Tally())
    assert EQUAL == outcome.status
    assert ["Stopped before anything was counted, so there is nothing to compare."] == outcome.said


def test_a_dead_process_ends_the_run() -> None:
    """A process that dies ends the run with its error."""

    def check() -> None:
        raise DemoError("kcl-flowlog run ended with status 2.")

    with pytest.raises(DemoError, match="status 2"):
        run({0: Page()}, check=check)


def test_failing_traffic_ends_the_run() -> None:
    """If it is unknown what the stream holds, there is nothing to compare."""
    with pytest.raises(DemoError, match="The traffic stopped: gone"):
        run({0: Page()}, failure=ConnectionError("gone"))
