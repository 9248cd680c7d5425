"""Payloads in, counts out: the books balance, whatever arrives."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, Histogram, RejectedPort, Traffic
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import FlowLog, Inventory
from kcl_flowlog.counting.waiting import WaitingRecords
from kcl_flowlog.processor.denials import denial_line
from tests.support.balance import imbalances_of
from tests.support.builders import (
    GOOD,
    INVENTORY,
    NODATA,
    NOW,
    ORIGIN,
    SKIPDATA,
    counted,
    envelope,
    labelled,
    line,
)

LOG_STREAM = LogStream("123456789010", "flow-logs", "eni-a-all")
# The inventory, and a flow log that tells that the log group records only vpc-1.
VPC_1 = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "flow-logs", DEFAULT_FORMAT),))
ACCEPTED = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
GOOD_ENVELOPE = envelope(GOOD)
DENIED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)
CONTROL = envelope("CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.", messageType="CONTROL_MESSAGE")


def counter_for(
    inventory: Inventory = INVENTORY, *formats: str, waiting: WaitingRecords | None = None
) -> PayloadCounter:
    """Return a counter without denials and window."""
    attributor = Attributor(Index(inventory))
    return PayloadCounter(Formats(formats), attributor, frozenset(), 1_000_000, waiting=waiting)


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
    delta, denials = counted(envelope(line("1.1.1.1", "2.2.2.2", "eni-0", action="REJECT"), logStream="eni-0-all"))

    assert {"unattributed": 1} == labelled(delta, counts.EVENTS)
    assert {} == delta.traffic
    expected = {
        "time": "1970-01-01T00:00:00.000Z",
        "event": "reject",
        "interface_id": "eni-0",
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
    """A payload of a few hundred kilobytes that would inflate to 300 MB does not take that memory."""
    bomb = gzip.compress(b" " * 300_000_000, 9)
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


UNLISTED = [line("10.0.1.77", "10.0.2.10", "eni-new"), line("10.0.2.10", "10.0.1.77", "eni-new")]
SECOND_PEER = line("10.0.1.77", "198.51.100.7", "eni-new")


def test_records_wait_until_their_interface_is_known() -> None:
    """A single peer in a known subnet tells nothing; a second peer, in another envelope, places the records."""
    first, second = envelope(*UNLISTED, logStream="eni-new-all"), envelope(SECOND_PEER, logStream="eni-new-all")

    delta, _ = counted(first, GOOD_ENVELOPE, second, inventory=VPC_1)

    assert {"counted": 4} == labelled(delta, counts.EVENTS)
    assert [] == imbalances_of(delta, 4, 3)
    directions = {key.direction: cell[0] for key, cell in delta.traffic.items() if key.peer == "same_zone"}
    assert {"egress": 1, "ingress": 1} == directions


def test_a_direction_waits_as_well() -> None:
    """IPv6 tells the subnet, but not which of two IPv4 addresses in it is the interface's."""
    six = [line("2001:db8:1:a::77", f"2600::{n}", "eni-new") for n in (1, 2)]
    four = line("10.0.1.77", "10.0.1.88", "eni-new", protocol=17)
    first, second = envelope(*six, four, logStream="eni-new-all"), envelope(SECOND_PEER, logStream="eni-new-all")

    delta, _ = counted(first, second)

    assert {(key.protocol, key.direction) for key in delta.traffic} == {("tcp", "egress"), ("udp", "egress")}


def test_records_that_wait_in_vain_are_unattributed() -> None:
    """Only when the delta is finished; nothing is guessed, and nothing is dropped."""
    denied = line("10.0.1.77", "10.0.2.10", "eni-new", action="REJECT")

    delta, denials = counted(envelope(*UNLISTED, denied, logStream="eni-new-all"))

    assert {"unattributed": 3} == labelled(delta, counts.EVENTS)
    assert [None] == [denial.place for denial in denials]


def test_a_bounded_number_of_records_waits() -> None:
    """A record that finds no room is unattributed at once."""
    first, second = (envelope(*lines, logStream="eni-new-all") for lines in (UNLISTED * 2, [SECOND_PEER]))

    delta, _ = counted(first, second, inventory=VPC_1, waiting=WaitingRecords(max_records=3))

    assert {"unattributed": 1, "counted": 4} == labelled(delta, counts.EVENTS)


def test_a_record_waits_again_until_its_own_interface_is_known() -> None:
    """News of another interface in the log stream places its own records only."""
    delta, counter = Delta(), counter_for(VPC_1)
    log_stream = LogStream("1", "flow-logs", "shared")
    other = [line("10.0.3.9", peer, "eni-other") for peer in ("10.0.2.10", "8.8.8.8")]

    counter.count_events(log_stream, map(LogEvent, [*UNLISTED, other[0]]), ORIGIN, NOW, delta)
    counter.count_events(log_stream, map(LogEvent, other[1:]), ORIGIN, NOW, delta)
    assert {"counted": 2} == labelled(delta, counts.EVENTS)

    counter.count_events(log_stream, [LogEvent(SECOND_PEER)], ORIGIN, NOW, delta)
    assert {"counted": 5} == labelled(delta, counts.EVENTS)


def test_the_delay_of_a_waiting_record_is_observed_once() -> None:
    """When it counts."""
    delta, counter = Delta(), counter_for()
    counter.count_events(LOG_STREAM, map(LogEvent, UNLISTED), ORIGIN, NOW, delta)
    assert {} == delta.histograms

    counter.finish(NOW + 30, delta)

    assert Histogram([0, 0, 2, *[0] * 9], 140.0) == delta.histograms[counts.EVENT_DELAY]
    counter.finish(NOW + 60, delta)
    assert {"unattributed": 2} == labelled(delta, counts.EVENTS)


def test_a_waiting_record_that_turns_out_malformed_names_its_payload() -> None:
    """Its packet address is needed, and found not to be valid, only when its direction is known."""
    delta, counter = Delta(), counter_for(VPC_1, f"{DEFAULT_FORMAT} ${{pkt-srcaddr}} ${{pkt-dstaddr}}")
    bad = f"{UNLISTED[0]} - nowhere"
    origins = [PayloadOrigin("shard", Position(number)) for number in "123"]

    for origin, text in zip(origins, (bad, bad + " ", f"{SECOND_PEER} - -"), strict=True):
        counter.count_events(LOG_STREAM, [LogEvent(text)], origin, NOW, delta)

    assert [("1", bad, "bad_address"), ("2", bad + " ", "bad_address")] == [
        (letter.sequence_number, letter.body, letter.reason) for letter in delta.dead_letters
    ]
    assert {"malformed": 2, "counted": 1} == labelled(delta, counts.EVENTS)


def test_forgotten_records_don_t_count_and_make_room() -> None:
    """A delta that is not used takes its waiting records with it."""
    waiting = WaitingRecords(max_records=2)
    delta, counter = Delta(), counter_for(waiting=waiting)
    counter.count_events(LOG_STREAM, map(LogEvent, UNLISTED), ORIGIN, NOW, Delta())

    counter.forget()
    counter.count_events(LOG_STREAM, map(LogEvent, UNLISTED), ORIGIN, NOW, delta)
    assert {} == labelled(delta, counts.EVENTS)
    counter.finish(NOW, delta)

    assert {"unattributed": 2} == labelled(delta, counts.EVENTS)


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


# Good lines of interfaces that the inventory lists, so that nothing is learned from them.
GOOD_LINES = (
    GOOD,
    DENIED,
    line("10.0.1.10", "10.0.3.10", protocol=17, packets=3, bytes=300),
    line("2001:db8:1:c::10", "2001:db8:1:a::10", "eni-a", packets=2, bytes=90),
    line("10.0.2.10", "198.51.100.9", "eni-b", action="REJECT", dstport=445),
    line("10.0.1.10", "10.0.9.9", "eni-x"),
)
TRANSIT = (
    "6 TransitGateway 123456789010 tgw-1 tgw-attach-1 123456789010 - vpc-1 - subnet-a - eni-a - use1-az1 - - 10.0.1.10"
    " 10.9.9.9 4000 443 6 10 1000 1700000000 1700000060 OK IPv4 0 0 0 0 vpc-2 - - egress - -"
)
_SPECIAL_LINES = st.sampled_from(
    [
        NODATA,
        SKIPDATA,
        TRANSIT,
        line("9.9.9.9", "8.8.8.8", "eni-0"),
        line("10.0.1.77", "8.8.4.4", "eni-new"),
        line("-", "-"),
        line("10.0.1.10", "no address"),
        json.dumps({"interfaceId": "eni-a", "srcAddr": "10.0.1.10", "dstAddr": "8.8.8.8"}),
        "{",
        "",
    ]
)
_HOSTILE_LINES = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from([*GOOD.split(), "-", "x", "999999999999999999"]), min_size=14, max_size=14).map(" ".join),
    st.none(),
    st.integers(),
)
_MESSAGES = st.one_of(st.sampled_from(GOOD_LINES), _SPECIAL_LINES, _HOSTILE_LINES)


@settings(deadline=None)
@given(st.lists(st.lists(_MESSAGES, max_size=12), max_size=5))
def test_the_books_balance_and_good_lines_count_as_if_they_were_alone(envelopes: list[list[object]]) -> None:
    """Good, special and hostile lines in any mixture: every line has an outcome, and no line changes another.

    So the counts are those of the good lines, plus those of all other lines.
    """
    delta, _ = counted(*[envelope(*messages) for messages in envelopes])
    good, _ = counted(*[envelope(*[text for text in messages if text in GOOD_LINES]) for messages in envelopes])
    others, _ = counted(*[envelope(*[text for text in messages if text not in GOOD_LINES]) for messages in envelopes])

    assert [] == imbalances_of(delta, sum(map(len, envelopes)), len(envelopes))
    good_lines = sum(text in GOOD_LINES for messages in envelopes for text in messages)
    assert ({"counted": good_lines} if good_lines else {}) == labelled(good, counts.EVENTS)
    sums = {
        key: [a + b for a, b in zip(good.traffic.get(key, [0] * 3), others.traffic.get(key, [0] * 3), strict=True)]
        for key in good.traffic.keys() | others.traffic.keys()
    }
    assert sums == delta.traffic


@settings(deadline=None)
@given(st.lists(st.lists(_MESSAGES, max_size=6), min_size=1, max_size=4), st.data())
def test_a_second_delivery_only_adds_duplicates(envelopes: list[list[object]], data: st.DataObject) -> None:
    """Whatever the envelope holds: no traffic, and no other outcome."""
    payloads = [envelope(*messages, logStream=f"eni-a-{n}") for n, messages in enumerate(envelopes)]
    known = [n for n, messages in enumerate(envelopes) if messages and all(isinstance(text, str) for text in messages)]
    again = data.draw(st.lists(st.sampled_from(known), max_size=6)) if known else []

    once, _ = counted(*payloads, window=Window())
    delta, _ = counted(*payloads, *[payloads[n] for n in again], window=Window())

    assert [] == imbalances_of(delta, sum(map(len, envelopes)) + sum(len(envelopes[n]) for n in again))
    assert once.traffic == delta.traffic
    assert sum(len(envelopes[n]) for n in again) == labelled(delta, counts.EVENTS).get("duplicate", 0)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(gzip.compress)))
def test_any_bytes_are_one_payload(payload: bytes) -> None:
    """They never raise, and have exactly one outcome."""
    delta, _ = counted(payload)

    assert [] == imbalances_of(delta, payloads_in=1)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messageType", "logEvents", "message", "logStream"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(_JSON)
def test_any_json_is_one_payload(value: object) -> None:
    """It never raises, and has exactly one outcome."""
    delta, _ = counted(gzip.compress(json.dumps(value).encode()))

    assert [] == imbalances_of(delta, payloads_in=1)


def test_every_subnet_of_the_inventory_can_be_counted() -> None:
    """The traffic of each interface in the inventory of these tests counts for its subnet."""
    for interface in INVENTORY.interfaces:
        delta, _ = counted(envelope(line(interface.addresses[0], "8.8.8.8", interface.interface_id)))
        assert [interface.subnet_id] == [series.subnet_id for series in delta.traffic]
