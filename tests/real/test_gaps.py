"""Through the real MultiLangDaemon: a death at each step of the commit protocol, of each process, loses no record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcl_flowlog.processor.faults import GAPS
from tests.support.instance import PAGE_TIMEOUT
from tests.support.scenario import Scenario, new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon

VICTIMS = ("processor", "daemon", "all")


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with new_scenario(tmp_path_factory.mktemp("gaps")) as scenario:
        scenario.put(500)
        scenario.instance.start()
        scenario.wait_for_shards()
        yield scenario


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("gap", GAPS)
def test_a_death_between_two_steps_loses_no_record(scenario: Scenario, gap: str, victim: str) -> None:
    """After a kill under load at exactly that point, the counts still equal what was put."""
    with scenario.putting():
        with scenario.daemon_ends():
            scenario.instance.order(f"{gap} kill-{victim}")
            assert eventually(lambda: not scenario.instance.fault.exists(), PAGE_TIMEOUT), "The fault never happened."

        if victim == "all":
            assert eventually(lambda: not scenario.instance.is_running, PAGE_TIMEOUT)
            scenario.instance.start()
        scenario.wait_for_shards()

    scenario.verify_counts()
