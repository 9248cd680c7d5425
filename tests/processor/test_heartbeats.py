"""The heartbeats of a processor."""

from __future__ import annotations

from kcl_flowlog.commits.messages import Heartbeat
from tests.support.processors import FIRST, SECOND, THROTTLED, Driver


def test_the_first_batch_sends_a_heartbeat(held: Driver) -> None:
    """With what is known: no record and no checkpoint so far."""
    held.deliver(millis_behind=None)

    assert [Heartbeat(1_700_000_100.0, 0.0, 0.0, 0.0)] == held.messenger.heartbeats


def test_a_heartbeat_tells_how_far_the_shard_is(held: Driver) -> None:
    """The lag in seconds, the arrival of the last record, and the last commit."""
    held.wait_for_the_next_commit()
    held.deliver(FIRST, SECOND, millis_behind=2500)

    assert [Heartbeat(1_700_000_100.0, 2.5, 1_700_000_102.0, 1_700_000_100.0)] == held.messenger.heartbeats


def test_what_was_told_once_stays_in_later_heartbeats(held: Driver) -> None:
    """An empty batch has no record; a throttled commit is no checkpoint."""
    held.wait_for_the_next_commit()
    held.deliver(FIRST)
    held.wait_for_the_next_commit()
    held.wall.now += 30.0
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(SECOND)
    held.monotonic.now += 1.0
    held.deliver()

    assert [
        (1_700_000_101.0, 1_700_000_100.0),
        (1_700_000_102.0, 1_700_000_100.0),
        (1_700_000_102.0, 1_700_000_100.0),
    ] == [(beat.last_record_at, beat.last_checkpoint_at) for beat in held.messenger.heartbeats]


def test_heartbeats_are_a_second_apart_whatever_the_wall_clock_says(driver: Driver) -> None:
    """Each with the time of the wall clock; they go on after the lease was lost."""
    driver.messenger.permit = None
    driver.initialize()
    begin = driver.monotonic.now
    for seconds, wall in ((0.0, 1000.0), (0.9, 1000.9), (1.0, 500.0), (1.9, 501.0), (2.0, 2000.0)):
        driver.monotonic.now, driver.wall.now = begin + seconds, wall
        driver.deliver()

    assert [1000.0, 500.0, 2000.0] == [beat.at for beat in driver.messenger.heartbeats]
