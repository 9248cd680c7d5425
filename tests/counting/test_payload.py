"""Payloads in, counts out: the books balance, whatever arrives."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.attribution import Place
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, Histogram, RejectedPort, Traffic
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.processor.denials import denial_line
from tests.support.builders import (
    GOOD,
    INVENTORY,
    NODATA,
    NOW,
    ORIGIN,
    SKIPDATA,
    counted,
    counter_for,
    envelope,
    labelled,
    line,
)

LOG_STREAM = LogStream("123456789010", "flow-logs", "eni-a-all")
ACCEPTED = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
GOOD_ENVELOPE = envelope(GOOD)
DENIED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)
CONTROL = envelope("CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.", messageType="CONTROL_MESSAGE")


def test_flows_packets_and_bytes_add_up() -> None:
    """Each record is a flow with its packets and bytes; a reject also counts by its port."""
    delta, denials = counted(envelope(GOOD, GOOD), envelope(DENIED))

    assert [2, 20, 2000] == delta.traffic[ACCEPTED]
    assert {RejectedPort("subnet-a", "ingress", "tcp", "22"): 1} == delta.rejected_ports
    assert {"counted": 3} == labelled(delta, counts.EVENTS)
    assert 1 == len(denials)


def test_ports_that_are_not_watched_are_other() -> None:
    """Each port would be a series, so their number is bounded."""
    rejects = [line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=port) for port in (22, 4444, 22, 4445)]

    delta, _ = counted(envelope(*rejects))

    watched = RejectedPort("subnet-a", "ingress", "tcp", "22")
    assert {watched: 2, watched._replace(port="other"): 2} == delta.rejected_ports


def test_a_conversation_recorded_at_both_ends_counts_once_in_each_direction() -> None:
    """100 bytes there and 7 back: 107 bytes of egress, and 107 of ingress."""
    there, back = ("10.0.1.10", "10.0.3.10"), ("10.0.3.10", "10.0.1.10")
    delta, _ = counted(
        envelope(line(*there, "eni-a", bytes=100), line(*back, "eni-a", bytes=7), logStream="eni-a-all"),
        envelope(line(*there, "eni-c", bytes=100), line(*back, "eni-c", bytes=7), logStream="eni-c-all"),
    )

    sums = {
        direction: sum(cell[2] for key, cell in delta.traffic.items() if key.direction == direction)
        for direction in ("egress", "ingress")
    }
    assert {"egress": 107, "ingress": 107} == sums


def test_idle_and_skipped_intervals_have_their_outcomes() -> None:
    """NODATA and SKIPDATA between good lines are not flows."""
    delta, _ = counted(envelope(GOOD, NODATA, GOOD, SKIPDATA, GOOD))

    assert {"counted": 3, "nodata": 1, "skipdata": 1} == labelled(delta, counts.EVENTS)


def test_a_record_without_a_subnet_is_unattributed() -> None:
    """It counts for no subnet, but it has an outcome, and a denial without a place."""
    delta, denials = counted(
        envelope(line("1.1.1.1", "2.2.2.2", "eni-00000000", action="REJECT"), logStream="eni-00000000-all")
    )

    assert {"unattributed": 1} == labelled(delta, counts.EVENTS)
    assert {} == delta.traffic
    expected = {
        "time": "1970-01-01T00:00:00.000Z",
        "event": "reject",
        "interface_id": "eni-00000000",
        "protocol": "tcp",
        "srcaddr": "1.1.1.1",
        "srcport": 40000,
        "dstaddr": "2.2.2.2",
        "dstport": 443,
        "packets": 10,
        "bytes": 1000,
        "start": "2023-11-14T22:13:20.000Z",
        "end": "2023-11-14T22:14:20.000Z",
    }
    assert expected == json.loads(bytes(denial_line(denials[0], 0.0)))


# The claim, the payload, its outcome and its reason.
PAYLOADS = {
    "a control message": (CONTROL, "control", None),
    "nothing": (b"", "malformed", "payload_encoding"),
    "plain text": (b"hello, world", "malformed", "payload_encoding"),
    "base64 of anything": (b"aGVsbG8=", "malformed", "payload_encoding"),
    "cut short": (envelope(GOOD)[:-5], "malformed", "payload_damaged"),
    "damaged": (envelope(GOOD)[:30] + b"\0\0\0\0" + envelope(GOOD)[34:], "malformed", "payload_damaged"),
    "a bomb": (gzip.compress(b" " * 3_000_000), "malformed", "payload_too_large"),
    "a thousand empty members": (gzip.compress(b"") * 1000, "malformed", "payload_too_large"),
    "half an object": (gzip.compress(b"{"), "malformed", "payload_not_json"),
    "not UTF-8": (gzip.compress(b'{"messageType":"\xff"}'), "malformed", "payload_not_json"),
    "JSON nested too deeply": (gzip.compress(b'{"x":' + b"[" * 99_999), "malformed", "payload_not_json"),
    "JSON of another kind": (gzip.compress(b"[1, 2]"), "malformed", "payload_not_envelope"),
    "events that are not a list": (envelope(logEvents="none"), "malformed", "payload_not_envelope"),
    "an unknown type": (envelope(GOOD, messageType="TRUTH"), "malformed", "payload_message_type"),
}


@pytest.mark.parametrize("claim", PAYLOADS)
def test_a_payload_without_an_envelope(claim: str) -> None:
    """It counts with its reason and is kept as a dead letter; the payloads around it count as usual."""
    payload, outcome, reason = PAYLOADS[claim]

    delta, _ = counted(envelope(GOOD), payload, envelope(GOOD))

    assert {"data": 2, outcome: 1} == labelled(delta, counts.PAYLOADS)
    assert ({reason: 1} if reason else {}) == labelled(delta, counts.MALFORMED)
    assert [letter.reason for letter in delta.dead_letters] == ([reason] if reason else [])
    assert [2, 20, 2000] == delta.traffic[ACCEPTED]


def test_a_bomb_is_not_inflated() -> None:
    """A payload of a few hundred kilobytes that would inflate to 100 MB does not take that memory."""
    bomb = gzip.compress(b" " * 100_000_000, 1)
    tracemalloc.start()
    try:
        delta, _ = counted(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert {"payload_too_large": 1} == labelled(delta, counts.MALFORMED)
    assert peak < 20_000_000


def test_an_event_without_a_text_costs_only_itself() -> None:
    """Its message is a number, null or missing; the dead letter is its JSON."""
    events = [{"message": GOOD}, {"message": 7}, {"message": None}, {}, 5, {"message": GOOD, "new": True}]

    delta, _ = counted(envelope(logEvents=events))

    assert {"counted": 2, "malformed": 4} == labelled(delta, counts.EVENTS)
    assert {"not_text": 4} == labelled(delta, counts.MALFORMED)
    assert [("event", '{"message": 7}'), ("event", '{"message": null}'), ("event", "{}"), ("event", "5")] == [
        (letter.kind, letter.body) for letter in delta.dead_letters
    ]


def test_the_dead_letter_of_an_event_survives_any_bytes() -> None:
    """JSON text is UTF-8, but the decoder does not look into a value that it skips."""
    delta = Delta()

    counter_for().count_events(LOG_STREAM, [b'{"message": "\xff"}'], ORIGIN, NOW, delta)

    assert ['{"message": "\ufffd"}'] == [letter.body for letter in delta.dead_letters]


def test_every_unsupported_event_counts() -> None:
    """A transit gateway's lines are not malformed."""
    delta, _ = counted(envelope(TRANSIT, GOOD, TRANSIT))

    assert {"unsupported": 2, "counted": 1} == labelled(delta, counts.EVENTS)
    assert [] == delta.dead_letters


def test_a_bad_address_costs_only_its_line() -> None:
    """It is malformed like any other bad field; the lines after it count."""
    bad = line("10.0.1.10", "10.0.1.999")

    delta, _ = counted(envelope(GOOD, bad, GOOD))

    assert {"counted": 2, "malformed": 1} == labelled(delta, counts.EVENTS)
    assert [DeadLetter("shardId-000000000000", "1", 0, "bad_address", "line", bad, *LOG_STREAM)] == delta.dead_letters


def test_dead_letters_of_one_commit_are_bounded() -> None:
    """Beyond the bound, bad lines are only counted."""
    delta, _ = counted(*[envelope(*["bad"] * 500)] * 3)

    assert {"": 1000} == labelled(delta, counts.DEAD_LETTERS)
    assert {"": 500} == labelled(delta, counts.DEAD_LETTERS_DROPPED)


def test_a_quarantined_payload_is_kept_whole() -> None:
    """However many dead letters there are, as nothing else tells why it kills; it counts as malformed."""
    delta, _ = counted(*[envelope(*["bad"] * 500)] * 3)
    poison = b"arsenic" * 1000

    counter_for().quarantine(poison, ORIGIN, delta)

    letter = delta.dead_letters[-1]
    assert ("payload_poison", "payload", False) == (letter.reason, letter.kind, letter.truncated)
    assert poison == base64.b64decode(letter.body)
    assert {"": 1001} == labelled(delta, counts.DEAD_LETTERS)
    assert {"data": 3, "malformed": 1} == labelled(delta, counts.PAYLOADS)


def test_only_the_start_of_a_bad_payload_is_kept() -> None:
    """It tells what the payload is; dead letters of payloads have no log stream."""
    delta, _ = counted(b"?" * 5000)

    body = base64.b64encode(b"?" * 4096).decode()
    expected = DeadLetter("shardId-000000000000", "1", 0, "payload_encoding", "payload", body, truncated=True)
    assert [expected] == delta.dead_letters


def test_a_delay_is_from_the_end_of_the_flow() -> None:
    """To the time of counting: 40 s three times; 0 for an end in the future; nothing for a record without an end."""
    future, unknown = line("10.0.1.10", "8.8.8.8", end=1_800_000_000), line("10.0.1.10", "8.8.8.8", end="-")

    delta, _ = counted(envelope(GOOD, future, GOOD, unknown, GOOD))

    assert Histogram([1, 3, *[0] * 10], 120.0) == delta.histograms[counts.EVENT_DELAY]


def test_a_denial_has_the_place_of_its_record() -> None:
    """Once for each reject, and not for accepted flows."""
    _, denials = counted(envelope(DENIED, GOOD))

    assert [Place("subnet-a", "ingress", "internet")] == [denial.place for denial in denials]
    assert [("reject", "22", 40)] == [(each.record.action, each.record.dstport, each.record.bytes) for each in denials]


def test_without_log_deny_nobody_hears_of_a_denial() -> None:
    """The reject counts all the same."""
    delta = Delta()

    counter_for().count(envelope(DENIED), ORIGIN, NOW, delta)

    assert {"counted": 1} == labelled(delta, counts.EVENTS)


TRANSIT = (
    "6 TransitGateway 123456789010 tgw-1 tgw-attach-1 123456789010 - vpc-1 - subnet-a - eni-a - use1-az1 - - 10.0.1.10"
    " 10.9.9.9 4000 443 6 10 1000 1700000000 1700000060 OK IPv4 0 0 0 0 vpc-2 - - egress - -"
)


def test_every_subnet_of_the_inventory_can_be_counted() -> None:
    """The traffic of each interface in the inventory of these tests counts for its subnet."""
    for interface in INVENTORY.interfaces:
        delta, _ = counted(envelope(line(interface.addresses[0], "8.8.8.8", interface.interface_id)))
        assert [interface.subnet_id] == [series.subnet_id for series in delta.traffic]


def test_made_up_subnets_share_a_bounded_part_of_a_delta() -> None:
    """One payload may name half a million of them; every flow is counted, and those of the inventory by name."""
    rich = "${interface-id} ${srcaddr} ${dstaddr} ${action} ${subnet-id} ${dstport} ${flow-direction}"
    made_up = [f"eni-00000001 192.0.2.1 192.0.2.2 REJECT subnet-{number:08x} 22 egress" for number in range(1500)]
    real = "eni-b 10.0.2.10 192.0.2.2 REJECT subnet-b 22 egress"

    delta, _ = counted(envelope(*made_up, real), formats=(rich,))

    by_subnet = {series.subnet_id: cell[0] for series, cell in delta.traffic.items()}
    assert 1002 == len(by_subnet) == len(delta.rejected_ports)
    assert (500, 1) == (by_subnet["other"], by_subnet["subnet-b"])
    assert 1501 == sum(by_subnet.values()) == sum(delta.rejected_ports.values())
    assert ["subnet-b"] == delta.snapshot().listed_subnets
