"""Payloads in, counts out: the books balance, whatever arrives."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import RejectedPort, Traffic
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.subnets import FlowLog
from kcl_flowlog.processor.denials import denial_line
from tests.support.balance import imbalances_of
from tests.support.builders import GOOD, INVENTORY, NODATA, SKIPDATA, SOURCE, counted, envelope, labelled, line

ACCEPTED = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
GOOD_ENVELOPE = envelope(GOOD)
DENIED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)
CONTROL = envelope("CWL CONTROL MESSAGE: Checking health of destination Kinesis stream.", messageType="CONTROL_MESSAGE")


def test_flows_packets_and_bytes_add_up() -> None:
    """Each record is one flow of its packets and bytes; a reject also counts by its port."""
    delta, denials = counted(envelope(GOOD, GOOD), envelope(DENIED))

    assert delta.traffic[ACCEPTED] == [2, 20, 2000]
    assert delta.rejected_ports == {RejectedPort("subnet-a", "ingress", "tcp", "22"): 1}
    assert labelled(delta, counts.EVENTS) == {"counted": 3}
    assert len(denials) == 1


def test_a_port_that_is_not_watched_is_other() -> None:
    """Ports are bounded, as every one of them would be a series."""
    delta, _ = counted(envelope(line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=4444)))

    assert [key.port for key in delta.rejected_ports] == ["other"]


def test_a_conversation_recorded_at_both_ends_counts_once_in_each_direction() -> None:
    """100 bytes there and 7 back: egress sums to 107, and so does ingress."""
    there, back = ("10.0.1.10", "10.0.3.10"), ("10.0.3.10", "10.0.1.10")
    delta, _ = counted(
        envelope(line(*there, "eni-a", bytes=100), line(*back, "eni-a", bytes=7), logStream="eni-a-all"),
        envelope(line(*there, "eni-c", bytes=100), line(*back, "eni-c", bytes=7), logStream="eni-c-all"),
    )

    sums = {
        direction: sum(cell[2] for key, cell in delta.traffic.items() if key.direction == direction)
        for direction in ("egress", "ingress")
    }
    assert sums == {"egress": 107, "ingress": 107}


def test_idle_and_skipped_intervals_cost_nothing_beside_them() -> None:
    """NODATA and SKIPDATA are outcomes of their own between good lines."""
    delta, _ = counted(envelope(GOOD, NODATA, GOOD, SKIPDATA, GOOD))

    assert labelled(delta, counts.EVENTS) == {"counted": 3, "nodata": 1, "skipdata": 1}


def test_a_subnet_that_stays_unknown_is_counted_as_such() -> None:
    """An unattributed record is no traffic of anybody's, but it is not dropped in silence."""
    delta, denials = counted(envelope(line("1.1.1.1", "2.2.2.2", "eni-0", action="REJECT"), logStream="eni-0-all"))

    assert labelled(delta, counts.EVENTS) == {"unattributed": 1}
    assert delta.traffic == {}
    assert json.loads(bytes(denial_line(denials[0], 0.0))) == {
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


# Payloads that are not what they should be, with their outcome and reason.
PAYLOADS = {
    "a control message": (CONTROL, "control", None),
    "nothing": (b"", "malformed", "payload_encoding"),
    "plain text": (b"hello, world", "malformed", "payload_encoding"),
    "base64 of anything": (b"aGVsbG8=", "malformed", "payload_encoding"),
    "cut short": (envelope(GOOD)[:-5], "malformed", "payload_damaged"),
    "damaged": (envelope(GOOD)[:30] + b"\0\0\0\0" + envelope(GOOD)[34:], "malformed", "payload_damaged"),
    "a bomb": (gzip.compress(b" " * 3_000_000), "malformed", "payload_too_large"),
    "a thousand empty members": (gzip.compress(b"") * 1000, "malformed", "payload_too_large"),
    "no JSON": (gzip.compress(b"{"), "malformed", "payload_not_json"),
    "not UTF-8": (gzip.compress(b'{"messageType":"\xff"}'), "malformed", "payload_not_json"),
    "JSON nested without end": (gzip.compress(b'{"x":' + b"[" * 99_999), "malformed", "payload_not_json"),
    "JSON of another kind": (gzip.compress(b"[1, 2]"), "malformed", "payload_not_envelope"),
    "events that are no list": (envelope(logEvents="none"), "malformed", "payload_not_envelope"),
    "an unknown type": (envelope(GOOD, messageType="TRUTH"), "malformed", "payload_message_type"),
}


@pytest.mark.parametrize("claim", PAYLOADS)
def test_a_payload_that_is_no_envelope(claim: str) -> None:
    """It is counted with its reason, kept as a dead letter, and costs its neighbours nothing."""
    payload, outcome, reason = PAYLOADS[claim]

    delta, _ = counted(envelope(GOOD), payload, envelope(GOOD))

    assert labelled(delta, counts.PAYLOADS) == {"data": 2, outcome: 1}
    assert labelled(delta, counts.MALFORMED) == ({reason: 1} if reason else {})
    assert [letter.reason for letter in delta.dead_letters] == ([reason] if reason else [])
    assert delta.traffic[ACCEPTED] == [2, 20, 2000]


def test_a_bomb_is_not_inflated() -> None:
    """A payload of a few hundred kilobytes that would inflate to 300 MB takes no such memory."""
    bomb = gzip.compress(b" " * 300_000_000, 9)
    tracemalloc.start()
    try:
        delta, _ = counted(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert labelled(delta, counts.MALFORMED) == {"payload_too_large": 1}
    assert peak < 20_000_000


def test_an_odd_event_costs_only_itself() -> None:
    """A message that is a number, null or missing does not cost the events beside it."""
    events = [{"message": GOOD}, {"message": 7}, {"message": None}, {}, 5, {"message": GOOD, "new": True}]

    delta, _ = counted(envelope(logEvents=events))

    assert labelled(delta, counts.EVENTS) == {"counted": 2, "malformed": 4}
    assert labelled(delta, counts.MALFORMED) == {"not_text": 4}


def test_a_bad_address_costs_only_its_line() -> None:
    """It is malformed like any other bad field, and its dead letter holds the whole line."""
    bad = line("10.0.1.10", "10.0.1.999")

    delta, _ = counted(envelope(GOOD, bad))

    assert labelled(delta, counts.EVENTS) == {"counted": 1, "malformed": 1}
    assert [(letter.reason, letter.kind, letter.body) for letter in delta.dead_letters] == [
        ("bad_address", "line", bad)
    ]


def test_dead_letters_of_one_commit_are_bounded() -> None:
    """Past the most, bad lines are only counted, and how many is counted too."""
    delta, _ = counted(*[envelope(*["bad"] * 500)] * 3)

    assert labelled(delta, counts.DEAD_LETTERS) == {"": 1000}
    assert labelled(delta, counts.DEAD_LETTERS_DROPPED) == {"": 500}
    assert len(delta.dead_letters) == 1000


def test_a_quarantined_payload_is_kept_whatever_came_before() -> None:
    """It is the only copy to find out from what kills."""
    delta, _ = counted(*[envelope(*["bad"] * 500)] * 3)
    counter = PayloadCounter(Formats(()), Attributor(Index(INVENTORY)), frozenset(), 1_000_000)

    counter.quarantine(b"arsenic", SOURCE, delta)

    assert delta.dead_letters[-1].reason == "payload_poison"
    assert labelled(delta, counts.DEAD_LETTERS) == {"": 1001}


def test_a_delay_is_from_the_end_of_the_flow() -> None:
    """A flow that ended 40 s before it was processed is in the bucket up to a minute."""
    delta, _ = counted(envelope(GOOD))

    histogram = delta.histograms[counts.EVENT_DELAY]
    assert (histogram.buckets[1], histogram.sum) == (1, 40.0)


UNLISTED = [line("10.0.1.77", "10.0.2.10", "eni-new"), line("10.0.2.10", "10.0.1.77", "eni-new")]
SECOND_PEER = line("10.0.1.77", "198.51.100.7", "eni-new")


def test_records_wait_until_their_interface_is_known_well_enough() -> None:
    """One peer in a known subnet tells nothing; the envelope that brings a second one places those before it, too."""
    first, second = envelope(*UNLISTED, logStream="eni-new-all"), envelope(SECOND_PEER, logStream="eni-new-all")
    inventory = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "flow-logs", DEFAULT_FORMAT),))

    delta, _ = counted(first, GOOD_ENVELOPE, second, inventory=inventory)

    assert labelled(delta, counts.EVENTS) == {"counted": 4}
    assert [] == imbalances_of(delta, 4, 3)
    directions = {key.direction: cell[0] for key, cell in delta.traffic.items() if key.peer == "same_zone"}
    assert directions == {"egress": 1, "ingress": 1}


def test_a_direction_waits_as_well() -> None:
    """IPv6 tells the subnet, but not which of two IPv4 addresses in it is the own one."""
    six = [line("2001:db8:1:a::77", f"2600::{n}", "eni-new") for n in (1, 2)]
    four = line("10.0.1.77", "10.0.1.88", "eni-new", protocol=17)
    first, second = envelope(*six, four, logStream="eni-new-all"), envelope(SECOND_PEER, logStream="eni-new-all")

    delta, _ = counted(first, second)

    assert {(key.protocol, key.direction) for key in delta.traffic} == {("tcp", "egress"), ("udp", "egress")}


def test_what_waits_in_vain_is_unattributed_in_the_end() -> None:
    """Nothing is guessed, and nothing is dropped."""
    denied = line("10.0.1.77", "10.0.2.10", "eni-new", action="REJECT")

    delta, denials = counted(envelope(*UNLISTED, denied, logStream="eni-new-all"))

    assert labelled(delta, counts.EVENTS) == {"unattributed": 3}
    assert [denial.place for denial in denials] == [None]


def test_only_so_many_wait() -> None:
    """Memory is bounded; the rest is unattributed at once."""
    many = [envelope(*UNLISTED * 3000, logStream="eni-new-all"), envelope(SECOND_PEER, logStream="eni-new-all")] * 2
    inventory = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "flow-logs", DEFAULT_FORMAT),))

    delta, _ = counted(many[0], many[0], many[1], inventory=inventory)

    assert labelled(delta, counts.EVENTS) == {"unattributed": 2000, "counted": 10_001}


# Good lines of interfaces that the inventory lists, so that none is learned from the others.
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
_ODD_LINES = st.sampled_from(
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
_MESSAGES = st.one_of(st.sampled_from(GOOD_LINES), _ODD_LINES, _HOSTILE_LINES)


@settings(deadline=None)
@given(st.lists(st.lists(_MESSAGES, max_size=12), max_size=5))
def test_the_books_balance_and_good_lines_count_as_if_they_were_alone(envelopes: list[list[object]]) -> None:
    """Good, odd and hostile lines in any mixture: nothing is missing, and none costs another anything.

    That is, the whole is the good lines alone, plus each other line alone among the same others.
    """
    delta, _ = counted(*[envelope(*messages) for messages in envelopes])
    good, _ = counted(*[envelope(*[one for one in messages if one in GOOD_LINES]) for messages in envelopes])
    others, _ = counted(*[envelope(*[one for one in messages if one not in GOOD_LINES]) for messages in envelopes])

    assert [] == imbalances_of(delta, sum(map(len, envelopes)), len(envelopes))
    good_lines = sum(one in GOOD_LINES for messages in envelopes for one in messages)
    assert labelled(good, counts.EVENTS) == ({"counted": good_lines} if good_lines else {})
    sums = {
        key: [a + b for a, b in zip(good.traffic.get(key, [0] * 3), others.traffic.get(key, [0] * 3), strict=True)]
        for key in good.traffic.keys() | others.traffic.keys()
    }
    assert delta.traffic == sums


@settings(deadline=None)
@given(st.lists(st.lists(_MESSAGES, max_size=6), min_size=1, max_size=4), st.data())
def test_what_comes_twice_is_a_duplicate_whatever_it_holds(envelopes: list[list[object]], data: st.DataObject) -> None:
    """An envelope that is delivered again adds its events to the duplicates, and nothing else to the books."""
    payloads = [envelope(*messages, logStream=f"eni-a-{n}") for n, messages in enumerate(envelopes)]
    known = [n for n, messages in enumerate(envelopes) if messages and all(isinstance(one, str) for one in messages)]
    again = data.draw(st.lists(st.sampled_from(known), max_size=6)) if known else []

    once, _ = counted(*payloads, window=Window())
    delta, _ = counted(*payloads, *[payloads[n] for n in again], window=Window())

    assert [] == imbalances_of(delta, sum(map(len, envelopes)) + sum(len(envelopes[n]) for n in again))
    assert delta.traffic == once.traffic
    assert labelled(delta, counts.EVENTS).get("duplicate", 0) == sum(len(envelopes[n]) for n in again)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(gzip.compress)))
def test_any_bytes_are_one_payload(payload: bytes) -> None:
    """No bytes raise; they are exactly one payload of a known outcome."""
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
    """Nor does any JSON."""
    delta, _ = counted(gzip.compress(json.dumps(value).encode()))

    assert [] == imbalances_of(delta, payloads_in=1)


def test_every_subnet_of_the_inventory_can_be_counted() -> None:
    """The inventory of these tests is no fiction: each interface's own traffic lands in its subnet."""
    for interface in INVENTORY.interfaces:
        delta, _ = counted(envelope(line(interface.addresses[0], "8.8.8.8", interface.interface_id)))
        assert [key.subnet_id for key in delta.traffic] == [interface.subnet_id]
