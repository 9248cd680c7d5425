"""Through the real MultiLangDaemon: a death at each step of the commit protocol, of each process, loses no record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcl_flowlog.processor.faults import GAPS
from tests.support.instance import PAGE_TIMEOUT
from tests.support.story import Story, telling
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon

VICTIMS = ("processor", "daemon", "all")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with telling(tmp_path_factory.mktemp("gaps")) as told:
        told.put(500)
        told.instance.start()
        told.wait_for_shards()
        yield told


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("gap", GAPS)
def test_a_death_between_two_steps_loses_no_record(story: Story, gap: str, victim: str) -> None:
    """After a kill under load at exactly that point, the counts still equal what was put."""
    with story.putting():
        with story.daemon_ends():
            story.instance.order(f"{gap} kill-{victim}")
            assert eventually(lambda: not story.instance.fault.exists(), PAGE_TIMEOUT), "The fault never happened."

        if victim == "all":
            assert eventually(lambda: not story.instance.is_running, PAGE_TIMEOUT)
            story.instance.start()
        story.wait_for_shards()

    story.verify_counts()
