"""The story of the demo and the alerts: each act provokes what its table says, in time, and nothing else fires.

The product's parts count the story for two instances, and the rules run over a day and six hours: see
`tests/support/stretched.py`. The same through the real daemon: `tests/real/test_story.py`.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from kcl_flowlog.demo.envelopes import event_ids, pack
from kcl_flowlog.demo.story import LENGTH, QUIET, STORY
from kcl_flowlog.demo.story_traffic import StoryTraffic
from tests.support.clocks import FakeClock
from tests.support.counting_fleet import CountingFleet
from tests.support.examples import HAS_ALL
from tests.support.story import WORLD, wrong_alerts
from tests.support.stretched import STEP, Samples, samples_of

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)
BEGIN = 1_800_000_000
RATE = 60
WARM_UP = 20


def told(folder: Path, length: int) -> list[Samples]:
    """Return the scrapes of both instances while they count the story; before it, they show the first counts."""
    clock = FakeClock(BEGIN - WARM_UP)
    fleet = CountingFleet(folder, WORLD, clock)
    traffic = StoryTraffic(WORLD, random.Random(1), lambda: clock() - BEGIN)
    ids = event_ids()
    scrapes: list[Samples] = []
    while clock() <= BEGIN + length:
        pages = {name: instance.page() for name, instance in fleet.instances.items()}
        if clock() >= BEGIN:
            samples = (samples_of(page, job="kcl-flowlog", instance=name) for name, page in pages.items())
            scrapes.append({name: value for each in samples for name, value in each.items()})
        clock.now += STEP
        fleet.put(pack(traffic.step(int(clock()), STEP, RATE * STEP), WORLD, ids))
        fleet.commit()
    fleet.close()
    return scrapes


@pytest.mark.skipif(not HAS_ALL, reason="takes ten seconds of CPU time; `make test` and `make rules` run it")
def test_each_act_provokes_its_alerts_in_time_and_no_other(tmp_path: Path) -> None:
    """The first act is quiet: an hour in which nothing fires."""
    scrapes = told(tmp_path, LENGTH)

    assert "" == wrong_alerts(scrapes, BEGIN, WORLD, tmp_path)


@pytest.mark.skipif(not HAS_ALL, reason="takes five seconds of CPU time; `make test` and `make rules` run it")
def test_an_act_without_its_alert_is_noticed(tmp_path: Path) -> None:
    """In a run that is quiet to its end, no act provokes anything."""
    quiet = told(tmp_path, QUIET.end)

    said = wrong_alerts([*quiet, *quiet[-1:] * (LENGTH // STEP)], BEGIN, WORLD, tmp_path)

    assert set() == {each.alert for act in STORY for each in act.alerts if f'alertname="{each.alert}"' not in said}
