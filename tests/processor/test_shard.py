"""The record processor, called as the daemon calls it: claims, commits, lost leases, heartbeats."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import digest
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Denials, Heartbeat, Hello, Log, UnknownInterfaces
from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting import counts, subnets
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import FlowlogError, StaleProcessor
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.in_hand import RecordInHand
from tests.support.conversation import DENIED, GOOD, payload
from tests.support.ledgers import SHARD, sums
from tests.support.processors import Driver

FIRST = (101, payload(GOOD))
SECOND = (102, payload(GOOD, GOOD))
POISON = (103, b"arsenic")
THROTTLED = ["ThrottlingException"] * 5
LOST = ["ShutdownException"]
UNLISTED = "2 1 eni-z 10.0.1.50 10.0.1.60 40000 3389 6 1 40 1700000000 1700000060 REJECT OK"


def flows(driver: Driver) -> int:
    return sum(flows for flows, _, _ in sums(driver.ledger))


def count(driver: Driver, name: str, label: str = "") -> int:
    return driver.ledger.totals().counts.get((name, label), 0)


def left(driver: Driver) -> list[str]:
    return [commit.shard_id for commit in driver.ledger.left_commits()]


def wait_for_the_next_commit(driver: Driver) -> None:
    driver.monotonic.now += driver.settings.checkpoint_interval


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
    driver.messenger.permit = []
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
    with pytest.raises(FlowlogError, match=f"The daemon sent `{message}` before `initialize`"):
        BEFORE_INITIALIZE[message](driver)


# Commits


def test_a_batch_is_committed_at_its_last_record(held: Driver) -> None:
    """Once the checkpoint interval is over, at position and sub-sequence number."""
    wait_for_the_next_commit(held)

    held.deliver(FIRST, SECOND, sub_sequence=3)

    assert [("102", 3)] == held.checkpoints
    assert 3 == flows(held)


def test_a_record_without_a_sub_sequence_number_has_0(held: Driver) -> None:
    """Only aggregated records have one."""
    wait_for_the_next_commit(held)

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
    wait_for_the_next_commit(held)
    held.deliver()
    assert [] == held.checkpoints
    assert 0 == count(held, counts.CHECKPOINTS, "ok")


@pytest.mark.parametrize(("ports", "checkpoints"), [(19_997, []), (19_998, [("101", 0)])])
def test_a_delta_of_20_000_entries_is_committed_early(
    tmp_path: Path, ledger: Ledger, ports: int, checkpoints: list[tuple[str, int]]
) -> None:
    """So that memory stays bounded whatever the interval; here one per port, one of traffic and one fingerprint."""
    watched = tuple(str(port) for port in range(1, ports + 1))
    driver = Driver(tmp_path, ledger, watched_ports=watched, payload_limit=10_000_000, log_deny=False)
    driver.initialize()

    driver.deliver((101, payload(*(DENIED.replace(" 3389 ", f" {port} ") for port in watched))))

    assert checkpoints == driver.checkpoints


def test_a_throttled_commit_is_tried_again_before_the_next(held: Driver) -> None:
    """First the position that was prepared, then what was counted since."""
    wait_for_the_next_commit(held)
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(FIRST)
    assert [("101", 0)] * 5 == held.checkpoints
    assert 0 == flows(held)
    assert ("warning", "Checkpoints throttled; trying again later") in held.messenger.log_texts

    wait_for_the_next_commit(held)
    held.deliver(SECOND)
    assert [("101", 0), ("102", 0)] == held.checkpoints[5:]
    assert 3 == flows(held)


def test_a_throttled_commit_waits_for_the_next_interval(held: Driver) -> None:
    """DynamoDB is not asked again with each batch."""
    wait_for_the_next_commit(held)
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
        wait_for_the_next_commit(held)
        held.checkpointer.refusals = [*THROTTLED]
        held.deliver(record)

    assert [("101", 0)] * 10 == held.checkpoints
    assert 0 == flows(held)


def test_a_fatal_refusal_is_raised(held: Driver) -> None:
    """No status is written after that."""
    wait_for_the_next_commit(held)
    held.checkpointer.refusals = ["InvalidStateException"]

    with pytest.raises(CheckpointRefused, match="InvalidStateException"):
        held.deliver(FIRST)


def test_copies_of_what_an_earlier_processor_counted_are_recognised(held: Driver) -> None:
    """By the fingerprints in the ledger."""
    wait_for_the_next_commit(held)
    held.deliver(FIRST)

    held.processor = held.new_processor()
    held.initialize("101")
    wait_for_the_next_commit(held)
    held.deliver((111, FIRST[1]))

    assert 1 == flows(held)
    assert 1 == count(held, counts.EVENTS, "duplicate")


def test_copies_count_if_deduplication_is_off(tmp_path: Path, ledger: Ledger) -> None:
    """As --no-deduplicate says."""
    driver = Driver(tmp_path, ledger, deduplicate=False, checkpoint_interval=0.0)
    driver.initialize()

    driver.deliver(FIRST, (111, FIRST[1]))

    assert 2 == flows(driver)


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
    assert 1 == count(driver, counts.MALFORMED, "payload_too_large")


def test_the_duration_of_each_batch_is_observed(held: Driver) -> None:
    """From the first record to the last."""

    def take_two_seconds(point: str, payload: bytes = b"") -> None:
        held.monotonic.now += 2.0 if point == faults.PAYLOAD else 0.0

    held.on_point = take_two_seconds
    held.deliver(FIRST, SECOND)
    wait_for_the_next_commit(held)
    held.deliver(FIRST)

    histogram = held.ledger.totals().histograms[counts.BATCH_DURATION]
    assert (2, 6.0) == (sum(histogram.buckets), histogram.sum)


def test_the_delay_of_events_is_measured_by_the_wall_clock(held: Driver) -> None:
    """The flows ended at 1,700,000,060; the clock says 40 seconds later."""
    wait_for_the_next_commit(held)
    held.deliver(FIRST)

    assert 40.0 == held.ledger.totals().histograms[counts.EVENT_DELAY].sum


# The record in hand


def test_the_record_in_hand_is_noted_while_it_is_counted(held: Driver) -> None:
    """And only then."""
    seen = []

    def look(point: str, payload: bytes = b"") -> None:
        seen.append((point, payload, RecordInHand(held.note).suspect))

    held.on_point = look
    held.deliver(POISON, FIRST, sub_sequence=2)

    assert [
        (faults.PAYLOAD, POISON[1], Position("103", 2)),
        (faults.PAYLOAD, FIRST[1], Position("101", 2)),
    ] == seen
    assert RecordInHand(held.note).suspect is None


def test_a_record_that_kills_is_skipped_and_committed_at_once(driver: Driver) -> None:
    """Kept as a dead letter; the records beside it are counted, those before it with the same commit."""
    driver.messenger.permit = [digest(Position("103"))]
    driver.initialize()

    driver.deliver(FIRST, POISON, SECOND)

    assert [("103", 0)] == driver.checkpoints
    assert 1 == flows(driver)
    assert 1 == count(driver, counts.MALFORMED, "payload_poison")
    assert [SHARD] == [letter.shard_id for _, letter in driver.ledger.dead_letters()]
    assert [FIRST[1], SECOND[1]] == [payload for point, payload in driver.points if point == faults.PAYLOAD]
    (log,) = (message for message in driver.messenger.of_kind(Log) if message.level == "error")
    assert "Record skipped: it killed every processor that tried to count it" == log.text
    assert {"shard_id": SHARD, "sequence_number": "103", "bytes": "7"} == log.fields

    wait_for_the_next_commit(driver)
    driver.deliver()
    assert 3 == flows(driver)


def test_a_record_with_another_sub_sequence_number_is_not_skipped(driver: Driver) -> None:
    """The whole position counts."""
    driver.messenger.permit = [digest(Position("103", 1))]
    driver.initialize()

    driver.deliver(POISON)

    assert [] == driver.checkpoints
    assert [(faults.PAYLOAD, POISON[1])] == driver.points


def test_a_lease_lost_at_a_record_that_kills_ends_the_batch(driver: Driver) -> None:
    """The next owner counts what follows."""
    driver.messenger.permit = [digest(Position("103"))]
    driver.initialize()
    driver.checkpointer.refusals = [*LOST]

    driver.deliver(POISON, FIRST)

    assert faults.PAYLOAD not in {point for point, _ in driver.points}
    wait_for_the_next_commit(driver)
    driver.deliver(SECOND)
    assert 1 == len(driver.checkpoints)
    assert 0 == flows(driver)


# Denials and unknown interfaces


def test_denials_are_delivered_with_their_batch(held: Driver) -> None:
    """Long before the commit, so that each is written at least once."""
    held.deliver((101, payload(DENIED)), (102, payload(DENIED, GOOD, log_stream="eni-a-2")))

    assert [2] == [len(message.lines) for message in held.messenger.of_kind(Denials)]
    assert [] == held.checkpoints


def test_many_denials_are_delivered_within_a_batch(held: Driver) -> None:
    """From 500 on, to bound memory."""
    sizes = (499, 1, 3)
    held.deliver(
        *((101 + number, payload(*[DENIED] * size, log_stream=f"eni-a-{number}")) for number, size in enumerate(sizes))
    )

    assert [500, 3] == [len(message.lines) for message in held.messenger.of_kind(Denials)]


def test_no_denials_without_log_deny(tmp_path: Path, ledger: Ledger) -> None:
    """The flows count all the same."""
    driver = Driver(tmp_path, ledger, log_deny=False, checkpoint_interval=0.0)
    driver.initialize()

    driver.deliver((101, payload(DENIED)))

    assert [] == driver.messenger.of_kind(Denials)
    assert 1 == flows(driver)


def test_denials_of_waiting_records_are_delivered_before_the_checkpoint(held: Driver) -> None:
    """Records of an interface not known well enough are counted with their commit, at the latest."""
    held.deliver((101, payload(UNLISTED, log_stream="eni-z-all")))
    assert 0 == held.messenger.denials

    def look(sequence_number: str, sub_sequence_number: int) -> None:
        delivered.append(held.messenger.denials)

    delivered: list[int] = []
    held.checkpointer.checkpoint = look  # type: ignore[method-assign, assignment]
    wait_for_the_next_commit(held)
    held.deliver()

    assert [1] == delivered
    assert 1 == count(held, counts.EVENTS, "unattributed")


def test_unknown_interfaces_are_reported_once(held: Driver) -> None:
    """The launcher reads the inventory again then."""
    held.deliver((101, payload(UNLISTED, log_stream="eni-z-all")))
    held.deliver(FIRST)

    assert [UnknownInterfaces(1)] == held.messenger.of_kind(UnknownInterfaces)


# The inventory


def test_a_new_inventory_is_used_from_the_next_batch_on(held: Driver) -> None:
    """As soon as the launcher has replaced the file."""
    held.deliver(FIRST)
    inventory = subnets.Inventory(
        2.0,
        (subnets.Subnet("subnet-new", "vpc-1", "az1", "10.0.1.0/24"),),
        (subnets.Interface("eni-a", "subnet-new", "vpc-1", ("10.0.1.10",)),),
    )
    replacement = held.inventory.with_name("inventory.json.new")
    replacement.write_bytes(subnets.dump(inventory))
    replacement.replace(held.inventory)

    wait_for_the_next_commit(held)
    held.deliver(SECOND)

    assert {"subnet-a": 1, "subnet-new": 2} == {
        total.series.subnet_id: total.flows for total in held.ledger.totals().traffic
    }


def test_an_unchanged_inventory_is_read_once(held: Driver) -> None:
    """What it holds is not even looked at."""
    status = held.inventory.stat()
    held.inventory.write_bytes(b"?" * status.st_size)
    os.utime(held.inventory, ns=(status.st_atime_ns, status.st_mtime_ns))

    wait_for_the_next_commit(held)
    held.deliver(FIRST)

    assert 1 == flows(held)


def test_a_missing_inventory_ends_the_processor(driver: Driver) -> None:
    """Nothing can be counted without it; the status is not written."""
    driver.inventory.unlink()

    with pytest.raises(FileNotFoundError):
        driver.initialize()


# Lost leases


def test_a_refused_claim_counts_nothing(driver: Driver) -> None:
    """Records are ignored, nothing is checkpointed, and the shard's end must not be either."""
    driver.messenger.permit = None
    driver.initialize()
    wait_for_the_next_commit(driver)

    driver.deliver(FIRST)
    driver.request_shutdown()
    with pytest.raises(FlowlogError, match=f"The lease of {SHARD} was lost"):
        driver.end_shard()

    assert [] == driver.checkpoints
    assert [] == driver.points


def test_a_lease_lost_at_a_checkpoint_counts_nothing_more(held: Driver) -> None:
    """The commit is left to the lease table, as its checkpoint may have happened."""
    wait_for_the_next_commit(held)
    held.checkpointer.refusals = [*LOST]
    held.deliver(FIRST)
    assert [SHARD] == left(held)
    assert ("warning", "Lease lost before a checkpoint") in held.messenger.log_texts

    wait_for_the_next_commit(held)
    held.deliver(SECOND)
    held.request_shutdown()
    held.lose_lease()

    assert [("101", 0)] == held.checkpoints
    assert 0 == flows(held)
    assert not held.note.exists()
    assert ("info", "Lease lost") == held.messenger.log_texts[-1]


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
    wait_for_the_next_commit(held)
    held.checkpointer.refusals = [*THROTTLED]
    held.deliver(FIRST)
    held.deliver(SECOND)
    assert [] == left(held)

    held.lose_lease()

    assert [SHARD] == left(held)
    assert 0 == flows(held)
    assert ("info", "Lease lost") == held.messenger.log_texts[-1]
    assert [{"shard_id": SHARD}] == [
        message.fields for message in held.messenger.of_kind(Log) if message.text == "Lease lost"
    ]


def test_lease_lost_removes_the_note_of_the_record_in_hand(held: Driver) -> None:
    """The next owner of the shard notes its own."""
    held.deliver(FIRST)
    assert held.note.exists()

    held.lose_lease()

    assert not held.note.exists()


def test_lease_lost_forgets_what_was_not_committed(held: Driver) -> None:
    """The next owner counts it, so it must not be committed here, whatever the daemon asks for afterwards."""
    held.deliver(FIRST, (102, payload(UNLISTED, log_stream="eni-z-all")))

    held.lose_lease()
    held.request_shutdown()

    assert [] == held.checkpoints
    assert [] == left(held)


def test_lease_lost_forgets_the_records_that_wait(held: Driver) -> None:
    """Records of an interface not known well enough are part of what the next owner counts."""
    held.deliver((102, payload(UNLISTED, log_stream="eni-z-all")))

    held.lose_lease()

    wait_for_the_next_commit(held)
    held.deliver(FIRST)
    assert 0 == count(held, counts.EVENTS, "unattributed")
    assert 1 == count(held, counts.EVENTS, "counted")


# The shard's end, and planned stops


def test_the_shards_end_is_checkpointed_after_the_rest(held: Driver) -> None:
    """The rest like any commit, then the end without a position, as the KCL wants it."""
    held.deliver(FIRST)

    held.end_shard()

    assert [("101", 0), (None, None)] == held.checkpoints
    assert 1 == flows(held)
    assert not held.note.exists()
    assert Log("info", "Shard ended", {"shard_id": SHARD}) == held.messenger.sent[-1]


def test_the_rest_is_committed_for_as_long_as_it_takes(held: Driver) -> None:
    """The end may be checkpointed only after it."""
    held.deliver(FIRST)
    held.checkpointer.refusals = [*THROTTLED, *THROTTLED]

    held.end_shard()

    assert [("101", 0)] * 11 + [(None, None)] == held.checkpoints
    assert 1 == flows(held)


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
    assert 1 == flows(held)
    assert [] == left(held)


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

    assert [SHARD] == left(held)
    assert 0 == flows(held)


def test_a_lease_lost_at_a_planned_stop_counts_nothing_more(held: Driver) -> None:
    """The daemon may still deliver what it had read."""
    held.deliver(FIRST)
    held.checkpointer.refusals = [*LOST]
    held.request_shutdown()

    wait_for_the_next_commit(held)
    held.deliver(SECOND)

    assert 1 == len(held.checkpoints)


# Heartbeats


def test_the_first_batch_sends_a_heartbeat(held: Driver) -> None:
    """With what is known: no record and no checkpoint so far."""
    held.deliver(millis_behind=None)

    assert [Heartbeat(1_700_000_100.0, 0.0, 0.0, 0.0)] == held.messenger.heartbeats


def test_a_heartbeat_tells_how_far_the_shard_is(held: Driver) -> None:
    """The lag in seconds, the arrival of the last record, and the last commit."""
    wait_for_the_next_commit(held)
    held.deliver(FIRST, SECOND, millis_behind=2500)

    assert [Heartbeat(1_700_000_100.0, 2.5, 1_700_000_102.0, 1_700_000_100.0)] == held.messenger.heartbeats


def test_what_was_told_once_stays_in_later_heartbeats(held: Driver) -> None:
    """An empty batch has no record; a throttled commit is no checkpoint."""
    wait_for_the_next_commit(held)
    held.deliver(FIRST)
    wait_for_the_next_commit(held)
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
