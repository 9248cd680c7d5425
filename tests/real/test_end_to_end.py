"""The main promise through the real MultiLangDaemon: each record counts once, whatever stops or dies.

The tests run in order on one instance, as a first start on an empty lease table takes the KCL up to a minute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kcl_flowlog.demo.tally import add_up
from tests.support.instance import PAGE_TIMEOUT, living
from tests.support.scenario import Scenario, new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    with new_scenario(tmp_path_factory.mktemp("real"), ("--log-deny",)) as scenario:
        scenario.instance.start()
        yield scenario


def test_every_record_is_counted(scenario: Scenario) -> None:
    """Records put before and after the first lease show in /metrics exactly, series by series."""
    scenario.put(2000)
    scenario.wait_for_shards()
    scenario.put(3000)

    scenario.verify_counts()


def test_a_stop_under_load_loses_nothing(scenario: Scenario) -> None:
    """SIGTERM ends with exit code 0 and leaves no process; the next start continues from the checkpoint.

    It is ready once it has read from both shards again.
    """
    with scenario.putting() as producer:
        scenario.wait_for_more_flows()
        processes = scenario.instance.processes()

        code = scenario.instance.stop()

        assert 0 == code
        assert [] == living(processes)
        put_by_now = producer.tally()
        assert eventually(lambda: put_by_now != producer.tally())
        scenario.instance.start()
        assert eventually(scenario.instance.is_ready, PAGE_TIMEOUT), scenario.instance.log
        page = scenario.instance.page()
        assert page is not None
        assert (2, 2) == (page.shards_held, page.open_shards)
        assert page.lag is not None
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_killing_all_processes_at_once_loses_nothing(scenario: Scenario) -> None:
    """SIGKILL of launcher, daemon and processors under load loses no record and counts none twice."""
    with scenario.putting():
        scenario.wait_for_more_flows()

        scenario.instance.kill()

        scenario.instance.start()
        scenario.wait_for_shards()
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_the_daemon_ends_when_its_launcher_is_killed(scenario: Scenario) -> None:
    """SIGKILL of the launcher leaves no daemon and no processor that could count beside the next ones."""
    with scenario.putting():
        scenario.wait_for_more_flows()
        _, *others = scenario.instance.processes()

        scenario.instance.kill_launcher()

        assert eventually(lambda: not living(others), PAGE_TIMEOUT)
        scenario.instance.start()
        scenario.wait_for_shards()

    scenario.verify_counts()


def test_a_killed_processor_brings_a_new_daemon(scenario: Scenario) -> None:
    """SIGKILL of one processor ends its daemon; the launcher starts another, and the counts stay exact."""
    with scenario.putting():
        scenario.wait_for_more_flows()

        with scenario.daemon_ends():
            scenario.instance.processors()[0].kill()

        scenario.wait_for_shards()
        scenario.wait_for_more_flows()

    scenario.verify_counts()


def test_every_rejected_flow_is_a_line_on_stdout(scenario: Scenario) -> None:
    """With --log-deny every rejected flow is written at least once, and stdout holds nothing else."""
    denials = [json.loads(line) for line in scenario.instance.stdout.splitlines()]
    rejected = add_up(scenario.truths).sum_where(lambda key: key.action == "reject")
    assert {"reject"} == {denial["event"] for denial in denials}

    # A record that is read again after a death is written again, with another time.
    for denial in denials:
        del denial["time"]
    distinct = {json.dumps(denial, sort_keys=True) for denial in denials}

    assert rejected.flows > 0
    assert rejected.flows == len(distinct)
