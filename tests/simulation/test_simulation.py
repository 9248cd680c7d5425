"""The simulation's quick part: stories of holes that are mended, and some schedules drawn at random."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.invariant import Violation
from tests.simulation.reverts import REVERTS, reverted
from tests.simulation.schedule import Player, player, told
from tests.simulation.stories import STORIES
from tests.support.examples import sample

# Few, so that xdist can spread the tests.
_SEEDS_OF_A_TEST = 10


@pytest.fixture(scope="module")
def stage() -> Iterator[Player]:
    """Return a player of schedules."""
    with player() as opened:
        yield opened


@pytest.mark.parametrize("name", STORIES)
def test_a_story_of_a_hole_ends_as_promised(stage: Player, name: str) -> None:
    """Each payload counts once, in the ledgers and in what Prometheus sees."""
    assert None is stage.play(STORIES[name].schedule)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_does_not_end_as_promised_without_its_mend(stage: Player, name: str) -> None:
    """Else the story, or the simulation, has lost sight of the hole."""
    mend, schedule = STORIES[name]

    with reverted(mend):
        error = stage.play(schedule)

    assert isinstance(error, Violation)


def test_each_mend_has_a_story() -> None:
    """So that the quick tests find whatever a search would find."""
    assert set(REVERTS) == {story.mend for story in STORIES.values()}


@pytest.mark.parametrize("first", sample(range(0, 100, _SEEDS_OF_A_TEST)))
def test_schedules_drawn_at_random_end_as_promised(stage: Player, first: int) -> None:
    """No order of events counts a payload twice or not at all."""
    failed = [
        (seed, error, told(schedule.steps))
        for seed in range(first, first + _SEEDS_OF_A_TEST)
        for schedule, error in [stage.draw(seed)]
        if error is not None
    ]

    assert [] == failed
