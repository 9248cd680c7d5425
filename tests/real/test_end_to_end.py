"""The main job through the real MultiLangDaemon: each record counted once, whatever is stopped or killed.

One story in order, as a first start on an empty lease table takes the KCL up to a minute.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.demo.truth import total
from tests.support.story import Story, telling

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with telling(tmp_path_factory.mktemp("real"), ("--log-deny",)) as told:
        told.instance.start()
        yield told


def test_what_is_put_into_the_stream_is_counted_to_the_last_digit(story: Story) -> None:
    """Envelopes put before and after the first lease show in /metrics exactly, per series."""
    story.put(2000)
    story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)
    story.put(3000)

    story.counts_all()


def test_a_stop_in_mid_stream_loses_nothing(story: Story) -> None:
    """SIGTERM under load ends with exit code 0 and no process left; the next start counts on from the checkpoint."""
    with story.putting():
        time.sleep(3)
        family = story.instance.family()

        code = story.instance.stop()

        assert code == 0
        assert [] == [pid for pid in family if Path(f"/proc/{pid}").exists()]
        time.sleep(1)
        story.instance.start()
        story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)
        time.sleep(2)

    story.counts_all()


def test_a_kill_of_everything_at_once_loses_nothing(story: Story) -> None:
    """SIGKILL of launcher, daemon and processors together under load costs no record and doubles none."""
    with story.putting():
        time.sleep(3)

        story.instance.kill()

        story.instance.start()
        story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)
        time.sleep(2)

    story.counts_all()


def test_a_killed_launcher_takes_its_daemon_along(story: Story) -> None:
    """SIGKILL of the launcher alone leaves no daemon and no processor that could count beside the next one."""
    with story.putting():
        time.sleep(2)
        _, *others = story.instance.family()

        story.instance.kill_launcher()

        deadline = time.monotonic() + 20
        while any(_is_alive(pid) for pid in others) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [] == [pid for pid in others if _is_alive(pid)]
        story.instance.start()
        story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)

    story.counts_all()


def test_a_killed_processor_brings_a_new_daemon(story: Story) -> None:
    """SIGKILL of one processor ends its daemon; the launcher starts another, and the figures stay exact."""
    with story.putting():
        time.sleep(2)

        os.kill(story.instance.family()[-1], signal.SIGKILL)

        story.instance.wait_for("the end of the daemon", lambda page: not page.daemon_up)
        story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)
        time.sleep(2)

    story.counts_all()


def test_every_rejected_flow_is_a_line_on_stdout(story: Story) -> None:
    """With --log-deny each reject is written at least once, and stdout holds nothing else."""
    denials = [json.loads(line) for line in story.instance.stdout.splitlines()]
    rejected = total(story.truths).sum_where(lambda key: key.action == "reject")
    assert {"reject"} == {denial["event"] for denial in denials}

    # One that is read again after a death is written again, at another time.
    for denial in denials:
        del denial["time"]
    distinct = {json.dumps(denial, sort_keys=True) for denial in denials}

    assert rejected.flows > 0
    assert len(distinct) == rejected.flows


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
