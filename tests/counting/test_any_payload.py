"""Any payloads: the books balance, and every payload and line has an outcome."""

from __future__ import annotations

import gzip
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.duplicates import Window
from tests.support.balance import imbalances_of
from tests.support.builders import (
    GOOD,
    NODATA,
    SKIPDATA,
    counted,
    envelope,
    labelled,
    line,
)

DENIED = line("198.51.100.7", "10.0.1.10", action="REJECT", dstport=22, packets=1, bytes=40)

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
        line("9.9.9.9", "8.8.8.8", "eni-00000000"),
        line("10.0.1.77", "8.8.4.4", "eni-facefeed"),
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
