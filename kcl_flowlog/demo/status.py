"""The state of a running demo, in data and in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.story import LENGTH, Act, act_at
from kcl_flowlog.demo.tally import Tally

# The counts are always a few seconds old: the product shows them after the next checkpoint.
_CAUGHT_UP = 0.85


class Step(Enum):
    """A step from the start of the product to its first counts, with the time that it usually takes."""

    STARTING = "kcl-flowlog: starting, usually 2 to 10 s"
    INITIALISING = "KCL: creating the lease table, usually 15 to 60 s"
    LEASING = "KCL: leasing the shards, usually 10 to 30 s"
    CHECKPOINTING = "First checkpoint and new series, usually 5 to 15 s"
    COUNTING = "Counting"


def step_of(page: Page | None) -> Step:
    """Return the step that a page shows; None means that the page does not answer yet."""
    if page is None:
        return Step.STARTING
    if page.counted.traffic:
        return Step.COUNTING
    if not page.daemon_up:
        return Step.INITIALISING
    return Step.CHECKPOINTING if page.shards_held else Step.LEASING


@dataclass(frozen=True)
class Status:
    """The state at a moment.

    `seconds` count from the start of the demo, `step_seconds` from the start of
    the current step. `story_second` is None without a story, and negative before
    it begins. `page` is None if the page does not answer. `phase` is a
    sentence about the end of the run, or empty.
    """

    seconds: float
    page: Page | None
    generated: Tally
    phase: str = ""
    step_seconds: float = 0.0
    story_second: float | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether the counts have caught up with the records that waited in the stream during the start."""
        generated = self.generated.sum_of_all().flows
        return self.page is not None and 0 < generated * _CAUGHT_UP <= self.page.counted.sum_of_all().flows

    @property
    def elapsed(self) -> str:
        """The time since the start, such as 1:05."""
        return f"{int(self.seconds) // 60}:{int(self.seconds) % 60:02}"

    @property
    def act(self) -> Act | None:
        """The act that is on: None without a story, before it begins, and once the traffic has ended."""
        return None if self.story_second is None or self.phase else act_at(self.story_second)

    @property
    def story(self) -> str:
        """Where the story is; empty without a story, and once the traffic has ended."""
        if self.story_second is None or self.phase:
            return ""
        if self.act is None:
            return "The story begins once the flows that waited are counted."
        return f"Second {self.story_second:.0f} of {LENGTH}: {self.act.title}, until {self.act.end}."

    def describe(self) -> str:
        """Return the current step and its time so far, or how many flows are counted."""
        step = step_of(self.page)
        if self.page is None or step is not Step.COUNTING:
            return f"{step.value} … {self.step_seconds:.0f} s"
        counted, generated = self.page.counted.sum_of_all().flows, self.generated.sum_of_all().flows
        lag = "" if self.page.lag is None else f", lag {self.page.lag:.1f} s"
        return f"{counted:,} of {generated:,} flows counted{lag}, shards held: {self.page.shards_held}"
