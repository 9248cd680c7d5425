"""Through the real MultiLangDaemon: a state directory that is full for a while, and ledgers that can't be continued."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.machine import Disk
from tests.support.instance import PAGE_TIMEOUT
from tests.support.scenario import Scenario, new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a disk of two megabytes at the path of the state directory."""
    disk = Disk(tmp_path / "state", megabytes=2)
    if not disk.is_small:
        pytest.skip("only root can mount a small disk")
    yield disk
    disk.remove()


def test_a_full_disk_loses_nothing(small_disk: Disk, tmp_path: Path) -> None:
    """While nothing can be committed, the metrics keep what was counted; the rest is counted later."""
    with new_scenario(tmp_path) as scenario:
        scenario.put(500)
        scenario.instance.start()
        before = scenario.verify_counts().counted
        with scenario.daemon_ends():
            small_disk.fill()
            scenario.put(3000)
        full = scenario.instance.wait_for("page", lambda page: True).counted
        assert before.traffic.keys() == full.traffic.keys()
        assert all(full.traffic[key].flows >= sums.flows for key, sums in before.traffic.items())
        assert "\nflowlog_state_filesystem_size_bytes 2.097152e+06\n" in scenario.instance.answer("/metrics")

        # The launcher has met the full disk as well: it can't start the next daemon.
        assert eventually(lambda: has_launcher_error(scenario, "disk is full"), PAGE_TIMEOUT), scenario.instance.log

        small_disk.clear()

        scenario.put(500)
        scenario.verify_counts()


def test_a_damaged_ledger_is_kept_aside(tmp_path: Path) -> None:
    """The next start logs it and continues from the checkpoint; the totals start again at 0."""
    with new_scenario(tmp_path) as scenario:
        scenario.put(500)
        scenario.instance.start()
        scenario.verify_counts()
        assert 0 == scenario.instance.stop()
        ledger = scenario.instance.state / "ledger.sqlite3"
        ledger.write_bytes(b"no ledger" * 1000)
        scenario.truths.clear()
        scenario.put(500)

        scenario.instance.start()

        scenario.verify_counts()
        (kept,) = scenario.instance.state.glob("ledger.sqlite3.broken-*Z")
        assert kept.name in scenario.instance.log


def test_an_old_copy_of_the_ledger_is_kept_aside(tmp_path: Path) -> None:
    """A snapshot that was brought back lacks what pages have shown since; the totals start again at 0."""
    with new_scenario(tmp_path) as scenario:
        scenario.put(500)
        scenario.instance.start()
        scenario.verify_counts()
        assert 0 == scenario.instance.stop()
        ledger = scenario.instance.state / "ledger.sqlite3"
        snapshot = ledger.read_bytes()
        scenario.put(500)
        scenario.instance.start()
        scenario.verify_counts()
        assert 0 == scenario.instance.stop()
        assert "old copy" not in scenario.instance.log

        ledger.write_bytes(snapshot)
        scenario.truths.clear()
        scenario.put(500)
        scenario.instance.start()

        scenario.verify_counts()
        (kept,) = scenario.instance.state.glob("ledger.sqlite3.old-*Z")
        assert snapshot == kept.read_bytes()
        assert kept.name in scenario.instance.log


def has_launcher_error(scenario: Scenario, text: str) -> bool:
    """Tell whether the launcher itself has logged an error with that text."""
    lines = scenario.instance.log.splitlines()
    return any("level=error component=launcher" in line and text in line for line in lines)
