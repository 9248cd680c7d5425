"""The state of the demo in words."""

import pytest

from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.status import Status, Step, step_of
from tests.support.demo_fakes import a_tally


@pytest.mark.parametrize(
    ("page", "step", "words"),
    [
        (None, Step.STARTING, "kcl-flowlog: starting, usually 2 to 10 s … 8 s"),
        (Page(), Step.INITIALISING, "KCL: creating the lease table, usually 15 to 60 s … 8 s"),
        (Page(daemon_up=True), Step.LEASING, "KCL: leasing the shards, usually 10 to 30 s … 8 s"),
        (
            Page(daemon_up=True, shards_held=1),
            Step.CHECKPOINTING,
            "First checkpoint and new series, usually 5 to 15 s … 8 s",
        ),
        (Page(a_tally(3), 2, True, 0.25), Step.COUNTING, "3 of 9 flows counted, lag 0.2 s, shards held: 2"),
        (Page(a_tally(3)), Step.COUNTING, "3 of 9 flows counted, shards held: 0"),
    ],
)
def test_each_step_says_how_long_it_takes(page: Page | None, step: Step, words: str) -> None:
    """A step of the start has its usual time and its time so far; then come the counted flows."""
    assert step is step_of(page)
    assert words == Status(72.2, page, a_tally(9), step_seconds=8.2).describe()


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3600, "60:00")])
def test_the_elapsed_time_is_in_minutes_and_seconds(seconds: float, text: str) -> None:
    """The time since the start reads as on a stopwatch."""
    assert text == Status(seconds, None, a_tally()).elapsed


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (None, ""),
        (-1.0, "The story begins once the flows that waited are counted."),
        (75.2, "Second 75 of 370: A burst of rejects, until 120."),
    ],
)
def test_the_story_has_a_second_and_an_act(second: float | None, words: str) -> None:
    assert words == Status(90, None, a_tally(), story_second=second).story


@pytest.mark.parametrize(("counted", "is_caught_up"), [(84, False), (85, True), (100, True)])
def test_counts_catch_up_with_what_waited(counted: int, is_caught_up: bool) -> None:
    """The counts have caught up once they are at most 15 % behind."""
    assert is_caught_up == Status(60, Page(a_tally(counted)), a_tally(100)).is_caught_up
    assert not Status(60, None, a_tally(100)).is_caught_up
