"""The story of the demo and the alerts: each act provokes what its table says, in time, and nothing else fires.

The product's parts count the story for two instances, and the rules run over a day and six hours: see
`tests/support/stretched.py`. The same through the real daemon: `tests/real/test_story.py`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kcl_flowlog.demo.story import LENGTH, QUIET, STORY
from tests.support.examples import HAS_ALL
from tests.support.story import WORLD, wrong_alerts
from tests.support.stretched import STEP
from tests.support.told_story import BEGIN, told

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)"
)


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
