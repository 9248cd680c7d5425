"""Through the real MultiLangDaemon: a death in each gap of the commit protocol, of each process, costs no record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcl_flowlog.processor.faults import GAPS
from tests.support.demo_fakes import eventually
from tests.support.story import Story, telling

pytestmark = pytest.mark.daemon

VICTIMS = ("processor", "daemon", "all")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with telling(tmp_path_factory.mktemp("gaps")) as told:
        told.put(500)
        told.instance.start()
        told.instance.wait_for("leased shards", lambda page: page.shards_held == 2)
        yield told


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("gap", GAPS)
def test_a_death_in_a_gap_costs_no_record(story: Story, gap: str, victim: str) -> None:
    """Killed under load at that very point, it goes on from there: equal to the last digit."""
    with story.putting():
        story.instance.order(f"{gap} kill-{victim}")

        assert eventually(lambda: not story.instance.fault.exists(), 30)

        if victim == "all":
            assert eventually(lambda: not story.instance.is_running, 30)
            story.instance.kill()
            story.instance.start()
        else:
            story.instance.wait_for("the end of the daemon", lambda page: not page.daemon_up)
        story.instance.wait_for("leased shards", lambda page: page.shards_held == 2)

    story.counts_all()
