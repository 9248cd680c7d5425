"""Through the real MultiLangDaemon: a state directory that is full for a while, and a ledger that is damaged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.machine import Disk
from tests.support.story import telling

pytestmark = pytest.mark.daemon


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of two megabytes at the place of the state directory."""
    disk = Disk(tmp_path / "state", megabytes=2)
    if not disk.is_small:
        pytest.skip("only root can mount a small disk")
    yield disk
    disk.remove()


def test_a_full_disk_loses_nothing(small_disk: Disk, tmp_path: Path) -> None:
    """Nothing can be committed meanwhile; what was counted is served, and all the rest is counted later."""
    with telling(tmp_path) as story:
        story.put(500)
        story.instance.start()
        page = story.counts_all()
        small_disk.fill()
        story.put(3000)
        story.instance.wait_for("the end of the daemon", lambda page: not page.daemon_up)
        meanwhile = story.instance.wait_for("an old page", lambda _: True).counted
        assert meanwhile.traffic.keys() == page.counted.traffic.keys()
        assert all(meanwhile.traffic[key].flows >= sums.flows for key, sums in page.counted.traffic.items())
        time.sleep(5)

        small_disk.clear()

        story.put(500)
        story.counts_all()


def test_a_damaged_ledger_is_kept_aside(tmp_path: Path) -> None:
    """The next start says so, and counts on from the checkpoint; the totals start again at 0."""
    with telling(tmp_path) as story:
        story.put(500)
        story.instance.start()
        story.counts_all()
        assert story.instance.stop() == 0
        ledger = story.instance.state / "ledger.sqlite3"
        ledger.write_bytes(b"no ledger" * 1000)
        story.truths.clear()
        story.put(500)

        story.instance.start()

        story.counts_all()
        assert "The ledger was damaged; it is kept as" in story.instance.log
        assert len(list(story.instance.state.glob("ledger.sqlite3.broken-*Z"))) == 1
