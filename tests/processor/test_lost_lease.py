"""A lost lease, however the processor learns of it: nothing more is counted or checkpointed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Log
from kcl_flowlog.counting import counts
from kcl_flowlog.errors import FlowlogError
from tests.support.conversation import DENIED, payload
from tests.support.ledgers import SHARD
from tests.support.processors import FIRST, LOST, SECOND, THROTTLED, UNLISTED, Driver


def test_a_refused_claim_counts_nothing(driver: Driver) -> None:
    """Records are ignored, nothing is checkpointed, and the shard's end must not be either."""
    driver.messenger.permit = None
    driver.initialize()
    driver.wait_for_the_next_commit()

    driver.deliver(FIRST)
    driver.request_shutdown()
    with pytest.raises(FlowlogError, match=f"The lease of {SHARD} was lost"):
        driver.end_shard()

    assert [] == driver.checkpoints
    assert [] == driver.points


def test_a_batch_that_is_ignored_is_read_to_its_end(driver: Driver) -> None:
    """The next message comes after it; damage is noticed, as in any batch."""
    driver.messenger.permit = None
    driver.initialize()

    with pytest.raises(ValueError, match="damaged"):
        driver.deliver(FIRST, error=ValueError("damaged"))


def test_a_lease_lost_at_a_checkpoint_counts_nothing_more(held: Driver) -> None:
    """The commit is left to the lease table, as its checkpoint may have happened."""
    held.wait_for_the_next_commit()
    held.checkpointer.refusals = [*LOST]
    held.deliver(FIRST)
    assert [SHARD] == held.left
    assert Log("warning", "Lease lost before a checkpoint", {"shard_id": SHARD}) in held.messenger.sent

    held.wait_for_the_next_commit()
    held.deliver(SECOND)
    held.request_shutdown()
    held.lose_lease()

    assert [("101", 0)] == held.checkpoints
    assert 0 == held.flows
    assert not held.note.exists()
    assert Log("info", "Lease lost", {"shard_id": SHARD}) == held.messenger.sent[-1]


def test_a_lost_lease_is_endured_for_a_minute_whatever_the_wall_clock_says(driver: Driver) -> None:
    """If the daemon doesn't end the processor by then, it ends itself, as nobody would read its shard."""
    driver.messenger.permit = None
    driver.initialize()
    begin = driver.monotonic.now
    for seconds, wall in ((1.0, 0.0), (60.0, 3600.0)):
        driver.monotonic.now, driver.wall.now = begin + seconds, 1_700_000_000.0 + wall
        driver.deliver()

    driver.monotonic.now, driver.wall.now = begin + 60.1, 1_700_000_000.0 - 3600
    with pytest.raises(FlowlogError, match=f"The lease of {SHARD} is lost, yet its records go on arriving"):
        driver.deliver()


def test_the_minute_begins_when_the_lease_was_lost(held: Driver) -> None:
    """And not with the claim."""
    held.monotonic.now += 1000.0
    held.checkpointer.refusals = [*LOST]
    held.deliver(FIRST)

    held.monotonic.now += 60.0
    held.deliver(SECOND)

    held.monotonic.now += 0.1
    with pytest.raises(FlowlogError, match="records go on arriving"):
        held.deliver(SECOND)


def test_lease_lost_leaves_a_prepared_commit_to_the_lease_table(held: Driver) -> None:
    """Throttled checkpoints may have happened; what was counted since is forgotten."""
    held.wait_for_the_next_commit()
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(FIRST)
    held.deliver(SECOND)
    assert [] == held.left

    held.lose_lease()

    assert [SHARD] == held.left
    assert 0 == held.flows
    assert Log("info", "Lease lost", {"shard_id": SHARD}) == held.messenger.sent[-1]


def test_lease_lost_removes_the_note_of_the_record_in_hand(held: Driver) -> None:
    """The next owner of the shard notes its own."""
    held.deliver(FIRST)
    assert held.note.exists()

    held.lose_lease()

    assert not held.note.exists()


def test_lease_lost_forgets_what_was_not_committed(held: Driver) -> None:
    """The next owner counts it, so it must not be committed here, whatever the daemon asks for afterwards."""
    held.deliver(FIRST, (102, payload(UNLISTED, log_stream="eni-0000000f-all")))

    held.lose_lease()
    held.request_shutdown()

    assert [] == held.checkpoints
    assert [] == held.left


def test_lease_lost_forgets_the_records_that_wait(held: Driver) -> None:
    """Records of an interface not known well enough are part of what the next owner counts."""
    held.deliver((102, payload(UNLISTED, log_stream="eni-0000000f-all")))

    held.lose_lease()

    held.wait_for_the_next_commit()
    held.deliver(FIRST)
    assert 0 == held.count(counts.EVENTS, "unattributed")
    assert 1 == held.count(counts.EVENTS, "counted")


def test_lease_lost_forgets_what_was_held_back(tmp_path: Path, ledger: Ledger) -> None:
    """The next owner counts the rejected flows, and how many of them it holds back."""
    driver = Driver(tmp_path, ledger, log_deny_rate=1, log_deny_burst=1)
    driver.initialize()
    driver.deliver((101, payload(*[DENIED] * 3)))

    driver.lose_lease()

    driver.wait_for_the_next_commit()
    driver.deliver(SECOND)
    assert (2, 0) == (driver.flows, driver.count(counts.DENIALS_HELD_BACK))
