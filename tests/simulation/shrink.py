"""Cuts a schedule down to the steps that a failure needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.simulation.schedule import Schedule, Setting, Step

Fails = Callable[[Schedule], bool]
"""Tells whether a schedule still fails in the same way."""


def shrink(schedule: Schedule, fails: Fails) -> Schedule:
    """Return a schedule that fails like `schedule`, and no longer does so without any of its steps."""
    while True:
        before = schedule
        schedule = _without_chunks(schedule, fails)
        for simpler in _simpler(schedule):
            if fails(simpler):
                schedule = simpler
                break
        if schedule == before:
            return schedule


def _without_chunks(schedule: Schedule, fails: Fails) -> Schedule:
    size = max(1, len(schedule.steps) // 2)
    while True:
        start = len(schedule.steps)
        while start > 0:
            start = max(0, start - size)
            shorter = schedule._replace(steps=schedule.steps[:start] + schedule.steps[start + size :])
            if len(shorter.steps) < len(schedule.steps) and fails(shorter):
                schedule = shorter
        if size == 1:
            return schedule
        size //= 2


def _simpler(schedule: Schedule) -> Iterator[Schedule]:
    for setting in (Setting(), schedule.setting._replace(interval=0.0)):
        if setting != schedule.setting:
            yield schedule._replace(setting=setting)
    for place, step in enumerate(schedule.steps):
        for other in _simpler_steps(step):
            yield schedule._replace(steps=(*schedule.steps[:place], other, *schedule.steps[place + 1 :]))


def _simpler_steps(step: Step) -> Iterator[Step]:
    # The last argument of a task is where it stops.
    if step[0] in ("read", "read_older", "renew", "discover") and len(step) == 4:
        yield step[:-1]
    if step[0] in ("answer", "settle", "start") and len(step) == 3:
        yield step[:-1]
    if step[0] == "kill_processor":
        yield ("kill", step[1])
    if step[0] == "read_older":
        yield ("read", *step[1:])
    if step == ("copy", "s1"):
        yield ("put", "s1")
