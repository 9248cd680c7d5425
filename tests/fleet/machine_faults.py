"""Faults of the machine: a full disk, a clock that jumps, a stdout that nobody reads."""

from __future__ import annotations

import random

from tests.fleet.errors import NothingDone
from tests.fleet.fleet import Fleet
from tests.fleet.member import Member

# Seconds that a fault lasts.
DURATION = 15.0
CLOCK_STEPS = (-3600, -20, 20, 3600)
# Seconds.
READING_PAUSES = (20.0, 60.0)


def fill_disk(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Fill the disk of the state directory for a while."""
    if not member.disk.is_small:
        raise NothingDone("no small disk, as only root can mount one")
    member.disk.fill()
    fleet.pause(DURATION)
    member.disk.clear()
    return f"for {DURATION:g} s"


def shift_clock(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Set the wall clock of an instance wrong for a while."""
    seconds = rng.choice(CLOCK_STEPS)
    member.clock.set(seconds)
    fleet.pause(DURATION)
    member.clock.set(0)
    return f"by {seconds:+d} s, for {DURATION:g} s"


def read_stdout_slowly(fleet: Fleet, member: Member, rng: random.Random) -> str:
    """Read an instance's stdout, which gets its denials, a little at a time or not at all for a while."""
    may_sip = rng.random() < 0.5
    member.stdout.slow_down(may_sip)
    try:
        fleet.pause(rng.choice(READING_PAUSES))
    finally:
        member.stdout.speed_up()
    return "a little" if may_sip else "nothing"
