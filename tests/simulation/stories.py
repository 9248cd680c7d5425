"""Schedules that have found a hole, cut down, and kept as stories, each with the mend that closes the hole.

Each must end as promised, and must not without the mend (`tests.simulation.reverts`).

A line of a story is a step: the method `do_…` of `Simulation`, and its arguments. In the end all instances are started,
all requests on their way arrive, and all is read.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.simulation.schedule import Schedule, Setting, Step

_NUMBERS = {"wait", "leap"}

# Two daemons with one worker id, each of which takes the other's renewals for its own.
_A_AND_C_RENEW_IN_LOCK_STEP = """
give s1 C
discover C s1
read C s1
discover A s1
read A s1
renew A s1
read A s1
put s1
renew C s1
read A s1
renew C s1
read C s1
"""


class Story(NamedTuple):
    """A schedule, and the mend that it needs."""

    mend: str
    schedule: Schedule


def story(mend: str, text: str, initial_position: str = "trim-horizon", interval: float = 0.0) -> Story:
    """Return a story from a text with a step on each line; words after a comma are the last argument."""
    return Story(mend, _schedule(text, initial_position, interval))


def _schedule(text: str, initial_position: str, interval: float) -> Schedule:
    return Schedule(
        Setting(initial_position, interval), tuple(_step(line) for line in text.splitlines() if line.strip())
    )


def _step(line: str) -> Step:
    words, _, until = line.partition(",")
    name, *arguments = words.split()
    given: list[object] = [
        float(word) if name in _NUMBERS and word not in "ABC" else word.replace("_", " ") for word in arguments
    ]
    return (name, *given, *([until.strip()] if until else []))


STORIES = {
    "a shard without a checkpoint is read by an instance that started later than the application": story(
        "application-record",
        """
        put s1
        start B
        wait 1
        """,
        initial_position="now",
    ),
    "two instances on copies of one state directory take each other's renewals for their own": story(
        "start-record",
        f"""
        start A
        clone A C
        {_A_AND_C_RENEW_IN_LOCK_STEP}
        """,
    ),
    "an instance is silent until a copy has started, and goes on": story(
        "start-fence",
        f"""
        start A
        silence A
        clone A C
        {_A_AND_C_RENEW_IN_LOCK_STEP}
        """,
    ),
    "a checkpoint lands after the lease was found again, with the same counter": story(
        "claim-fence",
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
        """,
    ),
    "a state directory is replaced by an earlier copy": story(
        "ledger-age",
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
        """,
    ),
    "a copy from between checkpoint and fold comes back, and nothing was committed since": story(
        "first-page",
        """
        put s0
        start A
        give s0 A
        discover A s0
        read A s0
        scrape A
        wait 31
        scrape A
        put s0
        read A s0, before fold
        snapshot A
        read A s0
        scrape A
        kill A
        restore A
        """,
    ),
    "a wall clock is a day ahead for one commit": story(
        "fingerprints",
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
        """,
    ),
    "a launcher's thread settles a commit by a row that it has read before": story(
        "left-commits",
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
        renew A s0
        read A s0
        answer A
        """,
    ),
    "an old read of the lease hides from the KCL that a shard is complete": story(
        "shard-end",
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
        renew A s0
        renew A s0
        read A s0
        """,
        interval=30.0,
    ),
}
