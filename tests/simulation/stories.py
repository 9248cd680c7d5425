"""Schedules that have found a hole, cut down, and kept as stories: each must end as promised.

A line of a story is a step: the method `do_…` of `Simulation`, and its arguments. In the end all instances are started,
all requests on their way arrive, and all is read.
"""

from __future__ import annotations

from tests.simulation.schedule import Schedule, Setting, Step

_NUMBERS = {"wait", "leap"}


def story(text: str, initial_position: str = "trim-horizon", interval: float = 0.0) -> Schedule:
    """Return a schedule from a text with a step on each line; words after a comma are the last argument."""
    return Schedule(Setting(initial_position, interval), tuple(_step(line) for line in text.strip().splitlines()))


def _step(line: str) -> Step:
    words, _, until = line.partition(",")
    name, *arguments = words.split()
    given: list[object] = [
        float(word) if name in _NUMBERS and word not in "ABC" else word.replace("_", " ")
        for word in arguments
    ]
    return (name, *given, *([until.strip()] if until else []))


STORIES = {
    "a shard without a checkpoint is read by an instance that started later than the application": story(
        """
        put s1
        start B
        wait 1
        """,
        initial_position="now",
    ),
    "two instances on copies of one state directory": story(
        """
        put s1
        start A
        clone A C
        give s1 A
        kill C
        """,
        initial_position="now",
        interval=30.0,
    ),
    "a checkpoint lands after the lease was found again, with the same counter": story(
        """
        put s0
        start A
        give s0 A
        discover A s0
        fate A checkpoint late
        read A s0, waiting for checkpoint
        expire A s0
        discover A s0
        notice A
        read A s0, after claim
        land A checkpoint
        read A s0, before prepare
        kill A
        """
    ),
    "a state directory is replaced by an earlier copy": story(
        """
        put s0
        start A
        give s0 A
        discover A s0
        read A s0
        scrape A
        wait 31
        scrape A
        snapshot A
        put s0
        read A s0
        scrape A
        kill A
        restore A
        """
    ),
    "a wall clock is a day ahead for one commit": story(
        """
        put s0
        put s1
        start A
        give s0 A
        discover A s0
        read A s0
        leap A 129600
        give s1 A
        discover A s1
        read A s1
        leap A 0
        kill A
        start A
        copy s0
        """
    ),
    "a launcher's thread settles a commit by a row that it has read before": story(
        """
        put s0
        fate A checkpoint unanswered
        start A
        give s0 A
        discover A s0
        read A s0, after claim
        expire A s0
        discover A s0
        notice A
        read A s0
        answer A
        """
    ),
    "an old read of the lease hides from the KCL that a shard is complete": story(
        """
        put s0
        start A
        give s0 A
        discover A s0
        split s0
        fate A checkpoint repeated
        read A s0
        fate A get_lease stale
        discover A s0
        notice A
        read A s0
        """,
        interval=30.0,
    ),
}

OPEN = (
    "a shard without a checkpoint is read by an instance that started later than the application",
    "two instances on copies of one state directory",
    "a checkpoint lands after the lease was found again, with the same counter",
    "a state directory is replaced by an earlier copy",
    "a wall clock is a day ahead for one commit",
)
"""The stories that don't end as promised yet."""
