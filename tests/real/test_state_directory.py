"""Through the real MultiLangDaemon: a state directory that is full for a while, and a ledger that is damaged."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .story import telling

pytestmark = pytest.mark.daemon


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes at the place of the state directory."""
    state = tmp_path / "state"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield state
    subprocess.run(["umount", "-l", str(state)], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """Nothing can be committed meanwhile; what was counted is served, and all the rest is counted later."""
    with telling(tmp_path) as story:
        story.put(500)
        story.instance.start()
        page = story.counts_all()
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        story.put(3000)
        story.instance.wait_for("the end of the daemon", lambda page: not page.daemon_up)
        assert (
            story.instance.wait_for("an old page", lambda _: True).counted.traffic.keys() == page.counted.traffic.keys()
        )
        time.sleep(5)

        ballast.unlink()

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
