"""The record processor, called as the daemon calls it: claims, the shard's end and planned stops."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from kcl_flowlog.commits.claims import LeaseRow, digest, with_claim
from kcl_flowlog.commits.messages import Hello, Log
from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import FlowlogError, StaleProcessor
from kcl_flowlog.processor.in_hand import RecordInHand
from tests.support.ledgers import SHARD
from tests.support.processors import FIRST, LOST, SECOND, THROTTLED, Driver

# Claims


def test_a_processor_claims_its_shard(driver: Driver) -> None:
    """In the ledger, then through the launcher: with the checkpoint that it begins at."""
    driver.initialize("4959033", 7)

    (hello,) = driver.messenger.of_kind(Hello)
    assert (SHARD, os.getpid(), "4959033", 7, "") == (
        hello.shard_id,
        hello.pid,
        hello.sequence_number,
        hello.sub_sequence_number,
        hello.suspect,
    )
    assert driver.ledger.is_held_by(SHARD, hello.token)
    assert [Log("info", "Shard leased", {"shard_id": SHARD, "checkpoint": "4959033"})] == driver.messenger.of_kind(Log)


def test_a_checkpoint_without_a_sub_sequence_number_has_0(driver: Driver) -> None:
    """The KCL may leave it out."""
    driver.initialize("4959033", None)

    assert [0] == [hello.sub_sequence_number for hello in driver.messenger.of_kind(Hello)]


def test_a_claim_names_the_record_that_killed_the_last_processor(driver: Driver) -> None:
    """Until a claim is registered with it; then the note is gone."""
    RecordInHand(driver.note).begin(Position("103", 2))
    driver.messenger.permit = None
    driver.initialize()
    driver.processor = driver.new_processor()
    driver.messenger.permit = ["NORMAL"]
    driver.initialize()
    driver.processor = driver.new_processor()
    driver.initialize()

    died_of = digest(Position("103", 2))
    assert [died_of, died_of, ""] == [hello.suspect for hello in driver.messenger.of_kind(Hello)]


def test_a_processor_of_an_earlier_generation_claims_nothing(driver: Driver) -> None:
    """It raises before the launcher hears of it."""
    driver.ledger.begin_generation()

    with pytest.raises(StaleProcessor):
        driver.initialize()

    assert [] == driver.messenger.sent


BEFORE_INITIALIZE: dict[str, Callable[[Driver], None]] = {
    "processRecords": lambda driver: driver.deliver(FIRST),
    "leaseLost": lambda driver: driver.lose_lease(),
    "shardEnded": lambda driver: driver.end_shard(),
    "shutdownRequested": lambda driver: driver.request_shutdown(),
}


@pytest.mark.parametrize("message", BEFORE_INITIALIZE)
def test_no_message_may_come_before_initialize(driver: Driver, message: str) -> None:
    """The daemon is broken then; the processor ends."""
    with pytest.raises(FlowlogError, match=f"^The daemon sent `{message}` before `initialize`.$"):
        BEFORE_INITIALIZE[message](driver)


# The shard's end, and planned stops


def test_the_shards_end_is_checkpointed_after_the_rest(held: Driver) -> None:
    """The rest like any commit, then the end without a position, as the KCL wants it."""
    held.deliver(FIRST)

    held.end_shard()

    assert [("101", 0), (None, None)] == held.checkpoints
    assert 1 == held.flows
    assert not held.note.exists()
    assert Log("info", "Shard ended", {"shard_id": SHARD}) == held.messenger.sent[-1]


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("dies", [True, False])
def test_the_ledger_knows_of_the_shards_end_before_the_lease_table(held: Driver, counted: bool, dies: bool) -> None:
    """Otherwise the row at the end would look as if the ledger were an old copy."""
    if counted:
        held.deliver(FIRST)
    (hello,) = held.messenger.of_kind(Hello)
    row = LeaseRow("owner", Position("TRIM_HORIZON"))
    row = row._replace(claims=with_claim(row, hello.token), checkpoint=Position("SHARD_END"))
    assert [SHARD] == held.ledger.shards_ahead({SHARD: row})
    held.checkpointer.refusals = ["InvalidStateException"] if dies else []

    with pytest.raises(CheckpointRefused) if dies else nullcontext():
        held.end_shard()

    assert [] == held.ledger.shards_ahead({SHARD: row})


def test_the_rest_is_committed_for_as_long_as_it_takes(held: Driver) -> None:
    """The end may be checkpointed only after it."""
    held.deliver(FIRST)
    held.checkpointer.refusals = [*THROTTLED, *THROTTLED]

    held.end_shard()

    assert [("101", 0)] * 11 + [(None, None)] == held.checkpoints
    assert 1 == held.flows


@pytest.mark.parametrize("counted", [True, False])
def test_a_lease_lost_at_the_shards_end_is_raised(held: Driver, counted: bool) -> None:
    """The processor must not answer that the shard has ended, whether the rest or the end was refused."""
    if counted:
        held.deliver(FIRST)
    held.checkpointer.refusals = [*LOST]

    with pytest.raises(FlowlogError, match=f"The lease of {SHARD} was lost"):
        held.end_shard()

    assert 1 == len(held.checkpoints)


def test_a_planned_stop_commits_the_rest(held: Driver) -> None:
    """Before the interval is over."""
    held.deliver(FIRST)

    held.request_shutdown()

    assert [("101", 0)] == held.checkpoints
    assert 1 == held.flows
    assert [] == held.left


def test_a_planned_stop_with_nothing_to_commit_asks_for_nothing(held: Driver) -> None:
    """The lease is given up at once."""
    held.request_shutdown()

    assert [] == held.checkpoints


@pytest.mark.parametrize("refusals", [THROTTLED, LOST])
def test_a_planned_stop_leaves_a_refused_commit_to_the_lease_table(held: Driver, refusals: list[str]) -> None:
    """There is no later try; the daemon gets its answer."""
    held.deliver(FIRST)
    held.checkpointer.refusals = [*refusals]

    held.request_shutdown()

    assert [SHARD] == held.left
    assert 0 == held.flows


def test_a_lease_lost_at_a_planned_stop_counts_nothing_more(held: Driver) -> None:
    """The daemon may still deliver what it had read."""
    held.deliver(FIRST)
    held.checkpointer.refusals = [*LOST]
    held.request_shutdown()

    held.wait_for_the_next_commit()
    held.deliver(SECOND)

    assert 1 == len(held.checkpoints)
