"""The story of the demo through the real daemon: two instances count it, a real Prometheus scrapes both.

Its samples are put on a time line on which the rules' windows fit; see `tests/support/stretched.py`. The same without
the daemon: `tests/ops/test_story.py`.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from kcl_flowlog.demo.story import LENGTH, StoryClock
from kcl_flowlog.demo.story_traffic import StoryTraffic
from kcl_flowlog.demo.tally import Tally, add_up
from kcl_flowlog.demo.world_builder import WorldSpec
from ops.outputs import OPS
from ops.values import read_values
from tests.support.instance import PAGE_TIMEOUT
from tests.support.prometheus import running_prometheus
from tests.support.scenario import SECOND_LOOK, new_scenario
from tests.support.story import wrong_alerts
from tests.support.stretched import STEP
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="takes eight minutes; set LONG_TESTS=1"),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)"),
]
# What an instance counts late looks like a burst on the time line: little traffic stays below the floors of the alerts.
RATE = 60.0
OPTIONS = ("--traffic-labels", "protocol,peer,interface_type", "--newborn-hold", "10s", "--inventory-interval", "60s")


def test_each_act_provokes_its_alerts_in_time_and_no_other(tmp_path: Path) -> None:
    """And both instances together count exactly what was sent."""
    # long because it is one story.
    job = read_values().job
    with new_scenario(tmp_path, OPTIONS, spec=WorldSpec(shards=4)) as scenario:
        instances = {"a": scenario.instance, "b": scenario.another_instance(tmp_path / "b", OPTIONS)}
        clock = StoryClock()
        scenario.traffic = StoryTraffic(scenario.world, random.Random(1), lambda: clock.second)
        for instance in instances.values():
            instance.start()
        for instance in instances.values():
            instance.wait_for("half of the shards", lambda page: page.shards_held == 2)

        def counted() -> Tally:
            pages = [instance.page() for instance in instances.values()]
            return add_up(page.counted for page in pages if page is not None)

        targets = {job: {name: instance.url.removeprefix("http://") for name, instance in instances.items()}}
        (tmp_path / "prometheus").mkdir()
        with (
            running_prometheus(tmp_path / "prometheus", targets, OPS / "prometheus" / "rules.yml") as prometheus,
            scenario.putting(RATE) as producer,
        ):
            prometheus.wait_for("count(up == 1) == 2")
            assert eventually(lambda: counted().sum_of_all().flows > 0.9 * producer.tally().sum_of_all().flows > 1000)
            began_at = time.time()
            clock.begin()
            assert eventually(lambda: clock.is_over, 2 * LENGTH)
            scrapes = prometheus.scrapes(job, began_at, began_at + LENGTH, STEP)

        assert "" == wrong_alerts(scrapes, began_at, scenario.world, tmp_path)
        truth = add_up(scenario.truths)
        assert eventually(lambda: truth == counted(), PAGE_TIMEOUT), (truth, counted())
        time.sleep(SECOND_LOOK)
        assert truth == counted()
