"""What happens to the records of a batch: the record in hand, poison, denials, the inventory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kcl_flowlog.commits.claims import digest
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Denials, Log, UnknownInterfaces
from kcl_flowlog.counting import counts, packed_inventory, subnets
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.line_by_line import LineByLine
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.tally import Tally
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.in_hand import RecordInHand
from tests.support.conversation import DENIED, GOOD, payload
from tests.support.ledgers import SHARD
from tests.support.processors import FIRST, LOST, POISON, SECOND, UNLISTED, Driver

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
    driver.messenger.permit = ["NORMAL", digest(Position("103"))]
    driver.initialize()

    driver.deliver(FIRST, POISON, SECOND)

    assert [("103", 0)] == driver.checkpoints
    assert 1 == driver.flows
    assert 1 == driver.count(counts.MALFORMED, "payload_poison")
    assert [SHARD] == [letter.shard_id for _, letter in driver.ledger.dead_letters()]
    assert [FIRST[1], SECOND[1]] == [payload for point, payload in driver.points if point == faults.PAYLOAD]
    (log,) = (message for message in driver.messenger.of_kind(Log) if message.level == "error")
    assert "Record skipped: it killed every processor that tried to count it" == log.text
    assert {"shard_id": SHARD, "sequence_number": "103", "bytes": "7"} == log.fields

    driver.wait_for_the_next_commit()
    driver.deliver()
    assert 3 == driver.flows


def test_records_before_one_that_is_skipped_are_in_hand_when_they_are_counted(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may wait for each other, and one of them may kill, too."""
    driver.messenger.permit = ["NORMAL", digest(Position("103"))]
    driver.initialize()
    seen = []
    count = LineByLine.count

    def look(lines: LineByLine, events: Any, tally: Tally, now: float) -> None:
        seen.append(RecordInHand(driver.note).suspect)
        count(lines, events, tally, now)

    monkeypatch.setattr(LineByLine, "count", look)
    driver.deliver(FIRST, POISON)

    assert [Position("101")] == seen


def test_a_record_with_another_sub_sequence_number_is_not_skipped(driver: Driver) -> None:
    """The whole position counts."""
    driver.messenger.permit = ["NORMAL", digest(Position("103", 1))]
    driver.initialize()

    driver.deliver(POISON)

    assert [] == driver.checkpoints
    assert [(faults.PAYLOAD, POISON[1])] == driver.points


def test_a_lease_lost_at_a_record_that_kills_ends_the_batch(driver: Driver) -> None:
    """The next owner counts what follows."""
    driver.messenger.permit = ["NORMAL", digest(Position("103"))]
    driver.initialize()
    driver.checkpointer.refusals = [*LOST]

    driver.deliver(POISON, FIRST)

    assert faults.PAYLOAD not in {point for point, _ in driver.points}
    driver.wait_for_the_next_commit()
    driver.deliver(SECOND)
    assert 1 == len(driver.checkpoints)
    assert 0 == driver.flows


# Denials and unknown interfaces


def test_denials_are_delivered_with_their_batch(held: Driver) -> None:
    """Long before the commit, so that each is written at least once."""
    held.deliver((101, payload(DENIED)), (102, payload(DENIED, GOOD, log_stream="eni-a-2")))

    (delivered,) = held.messenger.of_kind(Denials)
    assert ["3389", "3389"] == [str(json.loads(bytes(line))["dstport"]) for line in delivered.lines]
    assert {"2023-11-14T22:15:00.000Z"} == {json.loads(bytes(line))["time"] for line in delivered.lines}
    assert [] == held.checkpoints


def test_many_denials_are_delivered_within_a_batch(held: Driver) -> None:
    """As soon as their records are counted, a block at a time."""
    sizes = (4095, 1, 3)
    held.deliver(
        *((101 + number, payload(*[DENIED] * size, log_stream=f"eni-a-{number}")) for number, size in enumerate(sizes))
    )

    assert [4095, 4] == [len(message.lines) for message in held.messenger.of_kind(Denials)]


def test_no_denials_without_log_deny(tmp_path: Path, ledger: Ledger) -> None:
    """The flows count all the same."""
    driver = Driver(tmp_path, ledger, log_deny="", checkpoint_interval=0.0)
    driver.initialize()

    driver.deliver((101, payload(DENIED)))

    assert [] == driver.messenger.of_kind(Denials)
    assert 1 == driver.flows


def test_a_form_of_log_deny_reaches_the_denials(tmp_path: Path, ledger: Ledger) -> None:
    """With the account, which only the line tells."""
    driver = Driver(tmp_path, ledger, log_deny="ecs")
    driver.initialize()

    driver.deliver((101, payload(DENIED)))

    ((line,),) = [message.lines for message in driver.messenger.of_kind(Denials)]
    assert "1" == json.loads(bytes(line))["cloud"]["account"]["id"]


def test_denials_held_back_are_counted_with_their_records(tmp_path: Path, ledger: Ledger) -> None:
    """Exactly once: with their commit, and not if their lease is lost before."""
    driver = Driver(tmp_path, ledger, log_deny_rate=1, log_deny_burst=2)
    driver.initialize()

    driver.deliver((101, payload(*[DENIED] * 5)))
    assert (2, 0) == (driver.messenger.denials, driver.count(counts.DENIALS_HELD_BACK))
    driver.wait_for_the_next_commit()
    driver.deliver()
    assert (5, 3) == (driver.flows, driver.count(counts.DENIALS_HELD_BACK))

    driver.deliver((102, payload(*[DENIED] * 4, log_stream="eni-a-2")))
    driver.lose_lease()
    driver.processor = driver.new_processor()
    driver.initialize("101")
    driver.deliver((102, payload(*[DENIED] * 4, log_stream="eni-a-2")))
    driver.wait_for_the_next_commit()
    driver.deliver()

    assert (9, 5) == (driver.flows, driver.count(counts.DENIALS_HELD_BACK))
    assert ("warning", "Denials held back: more than --log-deny.rate and --log-deny.burst allow") in (
        driver.messenger.log_texts
    )


def test_denials_of_waiting_records_are_delivered_before_the_checkpoint(held: Driver) -> None:
    """Records of an interface not known well enough are counted with their commit, at the latest."""
    held.deliver((101, payload(UNLISTED, log_stream="eni-0000000f-all")))
    assert 0 == held.messenger.denials

    def look(sequence_number: str, sub_sequence_number: int) -> None:
        delivered.append(held.messenger.denials)

    delivered: list[int] = []
    held.checkpointer.checkpoint = look  # type: ignore[method-assign, assignment]
    held.wait_for_the_next_commit()
    held.deliver()

    assert [1] == delivered
    assert 1 == held.count(counts.EVENTS, "unattributed")


def test_unknown_interfaces_are_reported_once(held: Driver) -> None:
    """By their ids, which the launcher looks up."""
    held.deliver((101, payload(UNLISTED, log_stream="eni-0000000f-all")))
    held.deliver(FIRST)

    assert [UnknownInterfaces(["eni-0000000f"])] == held.messenger.of_kind(UnknownInterfaces)


# The inventory


def test_a_new_inventory_is_used_from_the_next_batch_on(held: Driver) -> None:
    """As soon as the launcher has replaced the file."""
    held.deliver(FIRST)
    inventory = subnets.Inventory(
        2.0,
        (subnets.Subnet("subnet-new", "vpc-1", "az1", "10.0.1.0/24"),),
        (subnets.Interface("eni-a", "subnet-new", "vpc-1", ("10.0.1.10",)),),
    )
    replacement = held.inventory.with_name("inventory.packed.new")
    replacement.write_bytes(pack(inventory))
    replacement.replace(held.inventory)

    held.wait_for_the_next_commit()
    held.deliver(SECOND)

    assert {"subnet-a": 1, "subnet-new": 2} == {
        total.series.subnet_id: total.flows for total in held.ledger.totals().traffic
    }


def test_an_unchanged_inventory_is_read_once(held: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not checked before each batch."""
    monkeypatch.setattr(packed_inventory, "check", None)

    held.wait_for_the_next_commit()
    held.deliver(FIRST)

    assert 1 == held.flows


def test_a_missing_inventory_ends_the_processor(driver: Driver) -> None:
    """Nothing can be counted without it; the status is not written."""
    driver.inventory.unlink()

    with pytest.raises(FileNotFoundError):
        driver.initialize()
