"""The forms of payloads: as CloudWatch Logs sends them, and as others forward them."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.brackets import ends_of_objects
from kcl_flowlog.counting.envelope import Envelope, LogEvent, OpenedPayload, open_text
from kcl_flowlog.counting.unpacking import unpack
from kcl_flowlog.errors import Malformed
from tests.support.builders import GOOD, NODATA, counted, envelope, labelled

ONE = envelope(GOOD)
TWO = envelope(GOOD, NODATA)
CONTROL = envelope("CWL CONTROL MESSAGE", messageType="CONTROL_MESSAGE")
TEXT = gzip.decompress(ONE)
DAMAGED = TWO[:40]
WRAPPED = json.dumps({"message": GOOD + "\n", "host": "h"}).encode() + b"\n"

# The claim, the payload, its outcome, its events by outcome, and the reason why a part of it is malformed.
FORMS = {
    "gzip'd, as CloudWatch Logs sends it": (ONE, "data", {"counted": 1}, None),
    "plain JSON": (TEXT, "plain", {"counted": 1}, None),
    "plain JSON after white space": (b" \n" + TEXT + b"\n", "plain", {"counted": 1}, None),
    "base64 of gzip": (base64.b64encode(ONE), "base64", {"counted": 1}, None),
    "base64 of gzip, with a line end": (base64.b64encode(ONE) + b"\n", "base64", {"counted": 1}, None),
    "base64 of JSON": (base64.b64encode(TEXT), "base64", {"counted": 1}, None),
    "zlib": (zlib.compress(TEXT), "data", {"counted": 1}, None),
    "zlib of the lowest level": (zlib.compress(TEXT, 0), "data", {"counted": 1}, None),
    "zlib of a low level": (zlib.compress(TEXT, 2), "data", {"counted": 1}, None),
    "zlib of the highest level": (zlib.compress(TEXT, 9), "data", {"counted": 1}, None),
    "base64 of zlib": (base64.b64encode(zlib.compress(TEXT)), "base64", {"counted": 1}, None),
    "a zlib member after a gzip member": (ONE + zlib.compress(TEXT), "data", {"counted": 2}, None),
    "a damaged zlib member after a good one": (
        zlib.compress(TEXT) + zlib.compress(TEXT)[:40],
        "partial",
        {"counted": 1},
        "payload_damaged",
    ),
    "an envelope in two gzip members": (
        gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]),
        "data",
        {"counted": 1},
        None,
    ),
    "two members with an envelope each": (ONE + TWO, "data", {"counted": 2, "nodata": 1}, None),
    "two envelopes in one member": (
        gzip.compress(TEXT + gzip.decompress(TWO)),
        "data",
        {"counted": 2, "nodata": 1},
        None,
    ),
    "an envelope on each line": (TEXT + b"\n" + TEXT + b"\n", "plain", {"counted": 2}, None),
    "brackets and quotes within a message": (
        gzip.decompress(envelope('}{ "\\"] ', GOOD)) + TEXT,
        "plain",
        {"counted": 2, "malformed": 1},
        "field_count",
    ),
    "a line that an agent has wrapped": (WRAPPED, "plain", {"counted": 1}, None),
    "a wrapped line in gzip": (gzip.compress(WRAPPED), "data", {"counted": 1}, None),
    "a wrapped line in base64": (base64.b64encode(WRAPPED), "base64", {"counted": 1}, None),
    "more wrapped lines than a payload may have envelopes": (WRAPPED * 1100, "plain", {"counted": 1100}, None),
    "wrapped lines around an envelope": (WRAPPED + TEXT + WRAPPED, "plain", {"counted": 3}, None),
    "a wrapped text of another program": (
        b'{"message": "started"}',
        "plain",
        {"malformed": 1},
        "message_not_flow_log",
    ),
    "a wrapped line without an end": (WRAPPED + WRAPPED[:60], "partial", {"counted": 1}, "payload_not_json"),
    "a message of another type than text": (b'{"message": 7}', "malformed", {}, "payload_not_envelope"),
    "a wrapped line beside a name that is no text": (
        WRAPPED[:1] + b'"\xff": 1, ' + WRAPPED[1:],
        "malformed",
        {},
        "payload_not_envelope",
    ),
    "a control message after data": (ONE + CONTROL, "data", {"counted": 1}, None),
    "control messages alone": (CONTROL + CONTROL, "control", {}, None),
    "a damaged member after a good member": (ONE + DAMAGED, "partial", {"counted": 1}, "payload_damaged"),
    "garbage after a good member": (ONE + b"garbage", "partial", {"counted": 1}, "payload_encoding"),
    "garbage after a good envelope": (TEXT + b"garbage", "partial", {"counted": 1}, "payload_encoding"),
    "half an envelope after a good envelope": (TEXT + TEXT[:60], "partial", {"counted": 1}, "payload_not_json"),
    "JSON of another kind between good envelopes": (
        TEXT + b'{"hello": "world"}' + TEXT,
        "partial",
        {"counted": 2},
        "payload_not_envelope",
    ),
    "JSON of another kind before a good envelope": (
        b'{"messageType": "TRUTH"}' + TEXT,
        "partial",
        {"counted": 1},
        "payload_message_type",
    ),
    "names as long as in CloudWatch Logs": (envelope(GOOD, logStream="x" * 512), "data", {"counted": 1}, None),
    "a name that is too long": (envelope(GOOD, logStream="x" * 1025), "malformed", {}, "payload_not_envelope"),
    "JSON of another kind alone": (b'{"hello": "world"}' * 2, "malformed", {}, "payload_not_envelope"),
    "base64 that is cut short": (base64.b64encode(ONE)[:-3], "malformed", {}, "payload_encoding"),
    "base64 of damaged gzip data": (base64.b64encode(DAMAGED), "malformed", {}, "payload_damaged"),
    "a line without an envelope": (GOOD.encode(), "malformed", {}, "payload_encoding"),
    "plain JSON past the limit": (
        envelope_of_spaces := b"{" + b" " * 1_100_000 + b"}",
        "malformed",
        {},
        "payload_too_large",
    ),
    "base64 of JSON past the limit": (base64.b64encode(envelope_of_spaces), "malformed", {}, "payload_too_large"),
    "spaces after a good envelope": (TEXT + b" \t\r\n ", "plain", {"counted": 1}, None),
    "spaces and garbage after a good envelope": (TEXT + b" \r\n x ", "partial", {"counted": 1}, "payload_encoding"),
    "spaces and half an envelope after a good envelope": (
        TEXT + b" \n" + TEXT[:60],
        "partial",
        {"counted": 1},
        "payload_not_json",
    ),
    "a damaged member after an envelope in two members": (
        gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]) + DAMAGED,
        "partial",
        {"counted": 1},
        "payload_damaged",
    ),
    "several objects, the first of an unknown type": (
        b'{"messageType": "TRUTH"}{"hello": "world"}',
        "malformed",
        {},
        "payload_message_type",
    ),
    "base64 with another character in it": (
        base64.b64encode(ONE)[:20] + b"*" + base64.b64encode(ONE)[20:],
        "malformed",
        {},
        "payload_encoding",
    ),
    "another kind of space before base64": (b"\x0b" + base64.b64encode(ONE), "malformed", {}, "payload_encoding"),
    "another kind of space before an envelope": (b"\x0b" + TEXT, "malformed", {}, "payload_encoding"),
    "another kind of space after a good envelope": (TEXT + b"\x0b", "partial", {"counted": 1}, "payload_encoding"),
    "a closing bracket between good envelopes": (TEXT + b"}" + TEXT, "partial", {"counted": 1}, "payload_encoding"),
    "more envelopes than any sender joins": (
        b'{"messageType":"DATA_MESSAGE"}' * 1025,
        "partial",
        {},
        "payload_too_large",
    ),
}


def open_payload(payload: bytes, limit: int) -> OpenedPayload:
    return open_text(unpack(payload, limit), limit)


@pytest.mark.parametrize("claim", FORMS)
def test_each_part_of_a_payload_counts_or_has_a_reason(claim: str) -> None:
    """Each part that can be read counts; any other part has a reason and is a dead letter."""
    payload, outcome, events, reason = FORMS[claim]

    delta, _ = counted(payload)

    assert {outcome: 1} == labelled(delta, counts.PAYLOADS)
    assert events == labelled(delta, counts.EVENTS)
    assert ({} if reason is None else {reason: 1}) == labelled(delta, counts.MALFORMED)
    assert ([] if reason is None else [reason]) == [letter.reason for letter in delta.dead_letters]


@pytest.mark.parametrize("claim", [claim for claim in FORMS if FORMS[claim][1] == "partial"])
def test_the_dead_letter_of_a_partial_payload_holds_only_the_rest(claim: str) -> None:
    """Counted again, it has the same reason, and no event counts twice."""
    payload, _, _, reason = FORMS[claim]
    delta, _ = counted(payload)
    (letter,) = delta.dead_letters

    again, _ = counted(base64.b64decode(letter.body))

    assert {} == labelled(again, counts.EVENTS)
    if reason != "payload_too_large":  # the rest alone is small enough
        assert {reason: 1} == labelled(again, counts.MALFORMED)


def test_keys_in_any_order_and_unknown_ones() -> None:
    """AWS adds keys, and its documentation has two orders."""
    text = json.dumps(
        {
            "policyLevel": "ACCOUNT_LEVEL_POLICY",
            "logEvents": [
                {"extractedFields": {"srcaddr": "9.9.9.9", "@aws.account": "1"}, "message": GOOD, "id": "7"},
            ],
            "subscriptionFilters": ["a"],
            "logStream": "eni-a-all",
            "logGroup": "flow-logs",
            "owner": "123456789010",
            "messageType": "DATA_MESSAGE",
        }
    )

    opened = open_payload(gzip.compress(text.encode()), 10_000)

    assert [([LogEvent(GOOD, "7")], ("123456789010", "flow-logs", "eni-a-all"))] == [
        (envelope.events, envelope.log_stream) for envelope in opened.envelopes
    ]


def test_extracted_fields_do_not_replace_the_message() -> None:
    """The author of a filter pattern chooses their names; the message is AWS's."""
    extracted = {"message": GOOD, "id": "1", "extractedFields": {"action": "REJECT", "bytes": "7"}}

    delta, _ = counted(envelope(logEvents=[extracted]))

    assert [("accept", [1, 10, 1000])] == [(key.action, cell) for key, cell in delta.traffic.items()]


@settings(deadline=None)
@given(st.lists(st.sampled_from([ONE, TWO, CONTROL]), min_size=1, max_size=5), st.sampled_from(["", "}", "x", "{"]))
def test_joined_envelopes_count_as_separate_envelopes(payloads: list[bytes], tail: str) -> None:
    """Forwarders may join any number of envelopes, and even cut the last short."""
    joined = b"".join(gzip.decompress(payload) for payload in payloads) + tail.encode()

    separate, _ = counted(*payloads)
    delta, _ = counted(gzip.compress(joined))

    assert separate.traffic == delta.traffic
    assert labelled(separate, counts.EVENTS) == labelled(delta, counts.EVENTS)
    assert len(delta.dead_letters) == bool(tail)


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2))
def test_any_bytes_open_or_are_malformed(data: bytes, layers: int) -> None:
    """Under any number of layers of gzip and base64, bytes are envelopes or have a reason."""
    for _ in range(layers):
        data = base64.b64encode(gzip.compress(data))
    try:
        found: list[Envelope] | list[str] = open_payload(data, 10_000).envelopes
    except Malformed as bad:
        found = [bad.reason] if bad.reason.startswith("payload_") else []
    assert found


@pytest.mark.parametrize(
    "wrap", [bytes, gzip.compress, base64.b64encode, lambda text: base64.b64encode(gzip.compress(text))]
)
def test_the_limit_is_for_the_text_of_a_payload(wrap: Callable[[bytes], bytes]) -> None:
    """A text of exactly that size is read, in every form."""
    text = b'{"messageType":"CONTROL_MESSAGE"}'

    assert 1 == len(open_payload(wrap(text), len(text)).envelopes)
    with pytest.raises(Malformed, match="payload_too_large"):
        open_payload(wrap(text), len(text) - 1)


def test_the_limit_is_for_all_members_together() -> None:
    """So that many small members can't take more memory than a large member."""
    text = b'{"messageType":"CONTROL_MESSAGE"}'
    members = gzip.compress(text) * 3

    assert 3 == len(open_payload(members, 3 * len(text)).envelopes)
    with pytest.raises(Malformed, match="payload_too_large"):
        open_payload(members, 3 * len(text) - 1)


@pytest.mark.parametrize(("members", "is_readable"), [(64, True), (65, False)])
def test_the_number_of_members_is_bounded(members: int, is_readable: bool) -> None:
    """Each further member copies the rest of the payload."""
    payload = CONTROL + gzip.compress(b"") * (members - 1)

    if is_readable:
        assert 1 == len(open_payload(payload, 10_000).envelopes)
    else:
        with pytest.raises(Malformed, match="payload_too_large"):
            open_payload(payload, 10_000)


def test_the_number_of_envelopes_is_bounded() -> None:
    """Parts that can't be read count as well; the rest is a single part."""
    good, bad = b'{"messageType":"CONTROL_MESSAGE"}', b'{"messageType":"TRUTH"}'

    opened = open_payload((good + bad) * 512 + good + bad, 100_000)

    assert 512 == len(opened.envelopes)
    assert [("payload_message_type", bad)] * 512 + [("payload_too_large", good + bad)] == opened.unreadable
    assert [] == open_payload(good * 1024, 100_000).unreadable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{} {}", [2, 5]),
        (b'{"a": [{}, {}]}{}', [15, 17]),
        (b'{"}": "{"}x{}', [10, 13]),
        (b'{"\\"}": 1}{}', [10, 12]),
        (b'{"unfinished }', []),
        (b"{}]{}", [2]),
        (b"[{}]{}", [4, 6]),
        (b"", []),
    ],
)
def test_the_ends_of_objects(text: bytes, expected: list[int]) -> None:
    """By brackets outside of strings, up to the first bracket that closes nothing."""
    assert expected == list(ends_of_objects(text))


def test_a_wrapped_line_is_no_larger_than_a_log_event() -> None:
    """It takes no more memory than an envelope's event."""
    with pytest.raises(Malformed, match="payload_not_envelope"):
        open_payload(b'{"message": "%s"}' % (b"x" * 1024**2), 10_000_000)
