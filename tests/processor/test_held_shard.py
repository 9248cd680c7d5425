"""When a held shard commits, and what."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import digest
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Log
from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.processor import faults
from tests.support.conversation import DENIED, GOOD, payload
from tests.support.ledgers import SHARD
from tests.support.processors import FIRST, SECOND, THROTTLED, Driver


def test_a_batch_is_committed_at_its_last_record(held: Driver) -> None:
    """Once the checkpoint interval is over, at position and sub-sequence number."""
    held.wait_for_the_next_commit()

    held.deliver(FIRST, SECOND, sub_sequence=3)

    assert [("102", 3)] == held.checkpoints
    assert 3 == held.flows


def test_a_record_without_a_sub_sequence_number_has_0(held: Driver) -> None:
    """Only aggregated records have one."""
    held.wait_for_the_next_commit()

    held.deliver(FIRST, sub_sequence=None)

    assert [("101", 0)] == held.checkpoints


def test_nothing_is_committed_before_the_interval_is_over(held: Driver) -> None:
    """The interval begins with the claim, then with each commit."""
    for _ in range(2):
        held.monotonic.now += 29.9
        held.deliver(FIRST)
        assert [] == held.checkpoints
        held.monotonic.now += 0.1
        held.deliver()
        assert [("101", 0)] == held.checkpoints
        held.checkpointer.requests.clear()


def test_an_empty_batch_commits_only_what_was_counted(held: Driver) -> None:
    """A quiet shard asks for no checkpoint."""
    held.wait_for_the_next_commit()
    held.deliver()
    assert [] == held.checkpoints
    assert 0 == held.count(counts.CHECKPOINTS, "ok")


@pytest.mark.parametrize(
    "permit", [["NORMAL"], ["GROUPS"], ["SINGLE"], ["NORMAL", digest(Position("101"))]], ids=" ".join
)
def test_nothing_of_a_batch_is_committed_that_is_damaged_at_its_end(driver: Driver, permit: list[str]) -> None:
    """Not even by a processor that commits within a batch."""
    driver.messenger.permit = permit
    driver.initialize()
    driver.wait_for_the_next_commit()

    with pytest.raises(ValueError, match="damaged"):
        driver.deliver(
            FIRST, SECOND, *[(103 + number, payload(GOOD)) for number in range(100)], error=ValueError("damaged")
        )

    assert [] == driver.checkpoints
    assert [] == driver.left


@pytest.mark.parametrize(("ports", "checkpoints"), [(19_997, []), (19_998, [("101", 0)])])
def test_a_delta_of_20_000_entries_is_committed_early(
    tmp_path: Path, ledger: Ledger, ports: int, checkpoints: list[tuple[str, int]]
) -> None:
    """So that memory stays bounded whatever the interval; here one per port, one of traffic and one fingerprint."""
    watched = tuple(str(port) for port in range(1, ports + 1))
    driver = Driver(tmp_path, ledger, watched_ports=watched, payload_limit=10_000_000, log_deny="")
    driver.initialize()

    driver.deliver((101, payload(*(DENIED.replace(" 3389 ", f" {port} ") for port in watched))))

    assert checkpoints == driver.checkpoints


def test_a_throttled_commit_is_tried_again_before_the_next(held: Driver) -> None:
    """First the position that was prepared, then what was counted since."""
    held.wait_for_the_next_commit()
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(FIRST)
    assert [("101", 0)] * 5 == held.checkpoints
    assert 0 == held.flows
    assert Log("warning", "Checkpoints throttled; trying again later", {"shard_id": SHARD}) in held.messenger.sent

    held.wait_for_the_next_commit()
    held.deliver(SECOND)
    assert [("101", 0), ("102", 0)] == held.checkpoints[5:]
    assert 3 == held.flows


def test_a_throttled_commit_waits_for_the_next_interval(held: Driver) -> None:
    """DynamoDB is not asked again with each batch."""
    held.wait_for_the_next_commit()
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(FIRST)

    held.monotonic.now += 29.9
    held.deliver(SECOND)
    assert 5 == len(held.checkpoints)

    held.monotonic.now += 0.1
    held.deliver()
    assert 7 == len(held.checkpoints)


def test_what_is_throttled_again_holds_the_next_commit_back(held: Driver) -> None:
    """Only one delta may be prepared at a time."""
    for record in (FIRST, SECOND):
        held.wait_for_the_next_commit()
        held.checkpointer.refusals = [*THROTTLED]
        held.deliver(record)

    assert [("101", 0)] * 10 == held.checkpoints
    assert 0 == held.flows


def test_a_fatal_refusal_is_raised(held: Driver) -> None:
    """No status is written after that."""
    held.wait_for_the_next_commit()
    held.checkpointer.refusals = ["InvalidStateException"]

    with pytest.raises(CheckpointRefused, match="InvalidStateException"):
        held.deliver(FIRST)


def test_copies_of_what_an_earlier_processor_counted_are_recognised(held: Driver) -> None:
    """By the fingerprints in the ledger."""
    held.wait_for_the_next_commit()
    held.deliver(FIRST)

    held.processor = held.new_processor()
    held.initialize("101")
    held.wait_for_the_next_commit()
    held.deliver((111, FIRST[1]))

    assert 1 == held.flows
    assert 1 == held.count(counts.EVENTS, "duplicate")


def test_copies_count_if_deduplication_is_off(tmp_path: Path, ledger: Ledger) -> None:
    """As --no-deduplicate says."""
    driver = Driver(tmp_path, ledger, deduplicate=False, checkpoint_interval=0.0)
    driver.initialize()

    driver.deliver(FIRST, (111, FIRST[1]))

    assert 2 == driver.flows


def test_settings_reach_the_counting(tmp_path: Path, ledger: Ledger) -> None:
    """Watched ports, the limit of a payload, and formats."""
    fields = "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes action"
    reordered = " ".join(f"${{{field}}}" for field in fields.split())
    driver = Driver(
        tmp_path,
        ledger,
        checkpoint_interval=0.0,
        payload_limit=1000,
        flow_log_formats=(reordered,),
        watched_ports=("22",),
    )
    driver.initialize()

    driver.deliver(
        (101, payload(*(f"2 eni-a 198.51.100.7 10.0.1.10 40000 {port} 6 10 1000 REJECT" for port in (22, 3389)))),
        (102, payload(*[f"{GOOD} {number}" for number in range(100)])),
    )

    assert {"22": 1, "other": 1} == {total.series.port: total.flows for total in driver.ledger.totals().rejected_ports}
    assert 1 == driver.count(counts.MALFORMED, "payload_too_large")


def test_the_duration_of_each_batch_is_observed(held: Driver) -> None:
    """From the first record to the last."""

    def take_two_seconds(point: str, payload: bytes = b"") -> None:
        held.monotonic.now += 2.0 if point == faults.PAYLOAD else 0.0

    held.on_point = take_two_seconds
    held.deliver(FIRST, SECOND)
    held.wait_for_the_next_commit()
    held.deliver(FIRST)

    histogram = held.ledger.totals().histograms[counts.BATCH_DURATION]
    assert (2, 6.0) == (sum(histogram.buckets), histogram.sum)


def test_the_delay_of_events_is_measured_by_the_wall_clock(held: Driver) -> None:
    """The flows ended at 1,700,000,060; the clock says 40 seconds later."""
    held.wait_for_the_next_commit()
    held.deliver(FIRST)

    assert 40.0 == held.ledger.totals().histograms[counts.EVENT_DELAY].sum
