"""The story of the demo as the scrapes of two instances, counted by the product's parts in a few seconds."""

from __future__ import annotations

import random
from pathlib import Path

from kcl_flowlog.demo.envelopes import event_ids, pack
from kcl_flowlog.demo.story_traffic import StoryTraffic
from ops.values import read_values
from tests.support.clocks import FakeClock
from tests.support.counting_fleet import CountingFleet
from tests.support.story import WORLD
from tests.support.stretched import STEP, Samples, samples_of

BEGIN = 1_800_000_000
_RATE = 60
_WARM_UP = 20


def told(folder: Path, length: int) -> list[Samples]:
    """Return the scrapes of both instances while they count the story; before it, they show the first counts."""
    clock = FakeClock(BEGIN - _WARM_UP)
    fleet = CountingFleet(folder, WORLD, clock)
    traffic = StoryTraffic(WORLD, random.Random(1), lambda: clock() - BEGIN)
    ids = event_ids()
    job = read_values().job
    scrapes: list[Samples] = []
    while clock() <= BEGIN + length:
        pages = {name: instance.page() for name, instance in fleet.instances.items()}
        if clock() >= BEGIN:
            samples = (samples_of(page, job=job, instance=name) for name, page in pages.items())
            scrapes.append({name: value for each in samples for name, value in each.items()})
        clock.now += STEP
        fleet.put(pack(traffic.step(int(clock()), STEP, _RATE * STEP), WORLD, ids))
        fleet.commit()
    fleet.close()
    return scrapes
