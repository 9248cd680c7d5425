"""Records that wait for their interface to be known, through the whole path of a payload."""

from __future__ import annotations

import msgspec

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta, Histogram
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import FlowLog
from kcl_flowlog.counting.waiting import WaitingRecords
from tests.support.balance import imbalances_of
from tests.support.builders import (
    GOOD,
    INVENTORY,
    NOW,
    ORIGIN,
    counted,
    counter_for,
    envelope,
    labelled,
    line,
)

LOG_STREAM = LogStream("123456789010", "flow-logs", "eni-a-all")

# The inventory, and a flow log that tells that the log group records only vpc-1.
VPC_1 = msgspec.structs.replace(INVENTORY, flow_logs=(FlowLog("fl-1", "vpc-1", "flow-logs", DEFAULT_FORMAT),))

GOOD_ENVELOPE = envelope(GOOD)

UNLISTED = [line("10.0.1.77", "10.0.2.10", "eni-facefeed"), line("10.0.2.10", "10.0.1.77", "eni-facefeed")]

SECOND_PEER = line("10.0.1.77", "198.51.100.7", "eni-facefeed")


def test_records_wait_until_their_interface_is_known() -> None:
    """A single peer in a known subnet tells nothing; a second peer, in another envelope, places the records."""
    first, second = (
        envelope(*UNLISTED, logStream="eni-facefeed-all"),
        envelope(SECOND_PEER, logStream="eni-facefeed-all"),
    )

    delta, _ = counted(first, GOOD_ENVELOPE, second, inventory=VPC_1)

    assert {"counted": 4} == labelled(delta, counts.EVENTS)
    assert [] == imbalances_of(delta, 4, 3)
    directions = {key.direction: cell[0] for key, cell in delta.traffic.items() if key.peer == "same_zone"}
    assert {"egress": 1, "ingress": 1} == directions


def test_a_direction_waits_as_well() -> None:
    """IPv6 tells the subnet, but not which of two IPv4 addresses in it is the interface's."""
    six = [line("2001:db8:1:a::77", f"2600::{n}", "eni-facefeed") for n in (1, 2)]
    four = line("10.0.1.77", "10.0.1.88", "eni-facefeed", protocol=17)
    first, second = (
        envelope(*six, four, logStream="eni-facefeed-all"),
        envelope(SECOND_PEER, logStream="eni-facefeed-all"),
    )

    delta, _ = counted(first, second)

    assert {(key.protocol, key.direction) for key in delta.traffic} == {("tcp", "egress"), ("udp", "egress")}


def test_records_that_wait_in_vain_are_unattributed() -> None:
    """Only when the delta is finished; nothing is guessed, and nothing is dropped."""
    denied = line("10.0.1.77", "10.0.2.10", "eni-facefeed", action="REJECT")

    delta, denials = counted(envelope(*UNLISTED, denied, logStream="eni-facefeed-all"))

    assert {"unattributed": 3} == labelled(delta, counts.EVENTS)
    assert [None] == [denial.place for denial in denials]


def test_a_bounded_number_of_records_waits() -> None:
    """A record that finds no room is unattributed at once."""
    first, second = (envelope(*lines, logStream="eni-facefeed-all") for lines in (UNLISTED * 2, [SECOND_PEER]))

    delta, _ = counted(first, second, inventory=VPC_1, waiting=WaitingRecords(max_records=3))

    assert {"unattributed": 1, "counted": 4} == labelled(delta, counts.EVENTS)


def test_a_record_waits_again_until_its_own_interface_is_known() -> None:
    """News of another interface in the log stream places its own records only."""
    delta, counter = Delta(), counter_for(VPC_1)
    log_stream = LogStream("1", "flow-logs", "shared")
    other = [line("10.0.3.9", peer, "eni-0ff1ce00") for peer in ("10.0.2.10", "8.8.8.8")]

    counter.count_events(log_stream, map(LogEvent, [*UNLISTED, other[0]]), ORIGIN, NOW, delta)
    counter.count_events(log_stream, map(LogEvent, other[1:]), ORIGIN, NOW, delta)
    assert {"counted": 2} == labelled(delta, counts.EVENTS)

    counter.count_events(log_stream, [LogEvent(SECOND_PEER)], ORIGIN, NOW, delta)
    assert {"counted": 5} == labelled(delta, counts.EVENTS)


def test_a_record_that_has_a_place_does_not_wait() -> None:
    """Although a further record might tell more of its interface."""
    delta = Delta()
    only_end_in_vpc = LogEvent(line("10.0.3.9", "8.8.8.8", "eni-facefeed"))

    counter_for(VPC_1).count_events(LOG_STREAM, [only_end_in_vpc], ORIGIN, NOW, delta)

    assert {"counted": 1} == labelled(delta, counts.EVENTS)


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
