"""Through the real MultiLangDaemon: what all instances of an application agree on, and copies of a state directory."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.demo.tally import add_up
from tests.support.instance import PAGE_TIMEOUT, Instance, is_alive
from tests.support.scenario import SECOND_LOOK, Scenario, flows, new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon

FROM_NOW = ("--initial-position", "now")


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    with new_scenario(tmp_path) as scenario:
        yield scenario


def test_now_is_the_first_start_of_the_application_on_whichever_instance(tmp_path: Path) -> None:
    """Shards that never had a record have no checkpoint; a new state directory begins where the first did."""
    with new_scenario(tmp_path, FROM_NOW) as scenario:
        scenario.instance.start()
        scenario.wait_for_shards()
        assert 0 == scenario.instance.stop()
        scenario.put(500)

        scenario.instance = scenario.another_instance(tmp_path / "second", FROM_NOW)
        scenario.instance.start()

        scenario.verify_counts()


def test_another_stream_is_refused(scenario: Scenario, tmp_path: Path) -> None:
    """Its shards have the same names, so the two would take each other's checkpoints for their own."""
    scenario.aws.client("kinesis").create_stream(StreamName="other", ShardCount=1)
    scenario.put(500)
    scenario.instance.start()
    scenario.verify_counts()

    other = scenario.another_instance(tmp_path / "other", stream="other")
    other.start()

    assert 2 == other.exit_code()
    assert "reads the stream" in other.log
    assert "choose another --application" in other.log
    scenario.put(500)
    scenario.verify_counts()


def test_a_copy_of_a_running_state_directory_is_refused(scenario: Scenario, tmp_path: Path) -> None:
    """The later instance ends with 2 and disturbs nothing: daemon and processors of the first go on."""
    scenario.put(500)
    scenario.instance.start()
    scenario.verify_counts()
    before = scenario.instance.processes()
    copy = copy_state(scenario.instance, tmp_path / "copy-state")
    later = scenario.another_instance(tmp_path / "copy", state=copy)
    with scenario.putting():
        scenario.wait_for_more_flows()

        later.start()

        assert 2 == later.exit_code()
        scenario.wait_for_more_flows()
    assert "its state directory is a copy of this one" in later.log
    assert all(map(is_alive, before))
    scenario.verify_counts()


def test_an_instance_that_is_silent_for_long_is_fenced_off(scenario: Scenario, tmp_path: Path) -> None:
    """While its launcher is stopped, a copy takes its place: what both commit counts once; it ends when it goes on."""
    scenario.put(500)
    scenario.instance.start()
    scenario.verify_counts()
    silent = scenario.instance
    copy = copy_state(silent, tmp_path / "copy-state")
    with Ledger(copy / "ledger.sqlite3") as ledger:
        copied = sum(total.flows for total in ledger.totals().traffic)
    launcher = silent.processes()[0]
    scenario.instance = scenario.another_instance(tmp_path / "copy", state=copy)
    try:
        with scenario.putting():
            launcher.send_signal(signal.SIGSTOP)
            scenario.instance.start()
            scenario.wait_for_more_flows()
    finally:
        launcher.send_signal(signal.SIGCONT)

    assert 1 == silent.exit_code()
    assert "has started" in silent.log
    with Ledger(silent.state / "ledger.sqlite3") as ledger:
        counted_there = sum(total.flows for total in ledger.totals().traffic) - copied
    truth = add_up(scenario.truths).sum_where(lambda key: True).flows
    if any(copy.glob("ledger.sqlite3.old-*")):
        # The silent instance's processors had committed since the copy was made, so the copy begins at 0.
        counted_there += copied

    def missing() -> int:
        page = scenario.instance.page()
        return truth - counted_there - (flows(page) if page is not None else 0)

    assert eventually(lambda: missing() == 0, PAGE_TIMEOUT), scenario.instance.log
    assert not eventually(lambda: missing() != 0, SECOND_LOOK)


def copy_state(instance: Instance, to: Path) -> Path:
    """Copy the state directory of an instance that runs, as a snapshot of its disk does; return the copy."""
    return Path(shutil.copytree(instance.state, to, ignore=shutil.ignore_patterns("*.sock")))
