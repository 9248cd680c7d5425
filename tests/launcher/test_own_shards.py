"""Which own shards have not been read since the start."""

from __future__ import annotations

import logging

import pytest

from kcl_flowlog.commits.messages import Heartbeat
from kcl_flowlog.launcher.inbox import HeldShard
from kcl_flowlog.launcher.own_shards import OwnShards
from tests.support.clocks import FakeClock
from tests.support.ec2 import THROTTLED, UNREACHABLE
from tests.support.launcher_fakes import FakeInbox
from tests.support.logs import events

WORKER = "worker-1"


class Start:
    """A start whose worker id owns these shards in the lease table."""

    def __init__(self, *owned: str) -> None:
        self.owned = {*owned}
        self.error: Exception | None = None
        self.looks = 0
        self.inbox = FakeInbox()
        self.clock = FakeClock()
        self.own_shards = OwnShards(self, WORKER, self.inbox.shards, self.clock)

    def shards_of(self, worker_id: str) -> set[str]:
        self.looks += 1
        assert WORKER == worker_id
        if self.error is not None:
            raise self.error
        return {*self.owned}

    def hold(self, *shard_ids: str, is_read: bool) -> None:
        """Let exactly these be the shards that processors hold."""
        heartbeat = Heartbeat(50.0, 0.0, 0.0, 0.0) if is_read else None
        self.inbox.held = [HeldShard(shard_id, 10, 40.0, 1.0, heartbeat) for shard_id in shard_ids]

    def unread(self) -> list[str] | None:
        """Let a while pass, and return what is not read by then."""
        self.clock.now += 10.0
        self.own_shards.step()
        return self.own_shards.unread()


def test_before_the_lease_table_is_read_nothing_is_known() -> None:
    """It may name any shard."""
    assert Start("a").own_shards.unread() is None


def test_a_shard_of_the_start_is_unread_until_its_processor_gets_a_batch() -> None:
    """It is not enough that a processor holds it."""
    start = Start("a", "b")
    story = [start.unread()]
    start.hold("a", is_read=False)
    story.append(start.unread())
    start.hold("a", is_read=True)
    story.append(start.unread())
    start.hold("a", "b", is_read=True)
    story.append(start.unread())

    assert [["a", "b"], ["a", "b"], ["b"], []] == story


def test_a_shard_that_another_worker_takes_is_no_longer_waited_for() -> None:
    """It may never come back."""
    start = Start("a", "b")
    before = start.unread()
    start.owned = {"b", "c"}

    assert (["a", "b"], ["b"]) == (before, start.unread())


def test_an_instance_without_shards_waits_for_none() -> None:
    """Others may hold all of them, for ever."""
    assert [] == Start().unread()


def test_a_shard_that_comes_later_is_unread_until_its_first_batch() -> None:
    """While it is held."""
    start = Start()
    start.unread()
    start.hold("new", is_read=False)
    story = [start.unread()]
    start.hold("new", is_read=True)
    story.append(start.unread())

    assert [["new"], []] == story


def test_a_shard_that_was_read_once_stays_read() -> None:
    """Its next processor has no batch yet; that is no reason to take the instance out of service."""
    start = Start("a")
    start.hold("a", is_read=True)
    start.unread()
    start.hold("a", is_read=False)

    assert [] == start.unread()


def test_the_lease_table_is_read_only_while_a_shard_of_the_start_is_unread() -> None:
    """And then each ten seconds."""
    start = Start("a")
    for _ in range(100):
        start.clock.now += 0.25
        start.own_shards.step()
    waiting = start.looks
    start.hold("a", is_read=True)
    start.unread()
    start.unread()

    assert (3, 3) == (waiting, start.looks)


def test_a_lease_table_that_cannot_be_read_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    """A warning says so once."""
    start = Start("a")
    start.error = THROTTLED
    story = [start.unread()]
    start.error = UNREACHABLE
    story.append(start.unread())
    start.error = None
    story.append(start.unread())

    assert [None, None, ["a"]] == story
    assert [logging.WARNING] == [level for level, _, _ in events(caplog)]
