"""Payloads that were made to cost memory: none takes more than a small multiple of the limit."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.fields import KINDS
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.waiting import WaitingRecord, WaitingRecords
from kcl_flowlog.errors import Malformed
from tests.support.balance import imbalances_of
from tests.support.builders import GOOD, INVENTORY, NOW, ORIGIN, counted, envelope, labelled, line
from tests.support.examples import sample
from tests.support.hostile import HOSTILE

LIMIT = 1024 * 1024
# What is held for any payload, however small: some thousand records, dead letters and waiting records.
BASE = 5 * 1024 * 1024


def _fresh() -> tuple[PayloadCounter, Delta]:
    attributor = Attributor(Index(INVENTORY))
    return PayloadCounter(Formats(), attributor, frozenset({"22"}), LIMIT, window=Window()), Delta()


def _peak(payload: bytes) -> tuple[int, Delta]:
    """Count a payload; return the most bytes that this took, without the payload itself."""
    counter, delta = _fresh()
    tracemalloc.start()
    try:
        counter.count(payload, ORIGIN, NOW, delta)
        counter.finish(NOW, delta)
        return tracemalloc.get_traced_memory()[1], delta
    finally:
        tracemalloc.stop()


# A part of them still has each claim, because 2 and the number of sizes have no common divisor.
CASES = [(claim, size) for claim in HOSTILE for size in (LIMIT, LIMIT // 3, LIMIT // 16)]


@pytest.mark.parametrize(("claim", "size"), sample(CASES, every=2))
def test_no_payload_takes_more_than_four_times_the_limit(claim: str, size: int) -> None:
    """Neither at the limit nor at the size from which a payload is looked at more closely; and the books balance."""
    text = HOSTILE[claim](size).encode()
    assert size // 2 <= len(text) <= size

    peak, delta = _peak(gzip.compress(text, 1))

    assert [] == imbalances_of(delta, payloads_in=1)
    assert peak <= 4 * LIMIT + BASE


@pytest.mark.parametrize("wrap", [zlib.compress, lambda text: base64.b64encode(zlib.compress(text))])
@pytest.mark.parametrize("text", [b"{" + b" " * (64 * LIMIT), b" " * (64 * LIMIT)], ids=["JSON", "spaces"])
def test_zlib_data_takes_no_more_than_gzip_data(wrap: Callable[[bytes], bytes], text: bytes) -> None:
    """It is inflated up to the limit and no further."""
    peak, delta = _peak(wrap(text))

    assert {"payload_too_large": 1} == labelled(delta, counts.MALFORMED)
    assert peak <= 4 * LIMIT + BASE


def test_the_members_of_a_payload_are_bounded_whatever_their_kind() -> None:
    """Each member copies the rest of the payload."""
    delta, _ = counted(zlib.compress(b" ") * 32 + gzip.compress(b" ") * 33)

    assert {"payload_too_large": 1} == labelled(delta, counts.MALFORMED)


def test_a_field_of_any_length_is_matched_in_one_pass() -> None:
    """With a pattern that tries each colon as the end of the first part, this takes hours."""
    address = ":" * 32_000 + "x"
    lines = [f"2 1 eni-a {address} {address} 1 1 6 1 1 1 1 ACCEPT OK"] * 100

    # Two formats with as many fields, so that the words are matched.
    formats = Formats((DEFAULT_FORMAT, " ".join(reversed(DEFAULT_FORMAT.split()))))
    reader = formats.reader(NO_LOG_STREAM, Index(INVENTORY))
    for each in lines:
        with pytest.raises(Malformed, match="format_unfit"):
            reader.read(each)


def test_no_pattern_of_a_field_repeats_what_a_neighbour_may_match() -> None:
    """A word that nearly fits is matched in one pass, for every kind of field."""
    for kind, matches in KINDS.items():
        for part in ("a", "-a", ":", "1.", "-", "eni-", "A_"):
            for prefix in ("", "aa", "arn:", "eni-", "us-east"):
                is_text = kind == "text" or (kind, prefix) == ("arn", "arn:")
                assert is_text == bool(matches(prefix + part * 20_000 + "!")), kind


def test_a_message_is_read_up_to_65536_characters() -> None:
    """A line with all fields and long tags has a quarter of that; a longer message is a malformed event."""
    fits = json.dumps({"srcAddr": "10.0.1.10", "bytes": 1, "x": "y" * (65_536 - 45)})
    assert 65_536 == len(fits)

    delta, _ = counted(envelope(fits, fits + " "))

    assert {"message_too_long": 1} == labelled(delta, counts.MALFORMED)


@pytest.mark.parametrize("key", ["owner", "logGroup", "logStream"])
def test_a_name_longer_than_any_of_cloudwatch_is_no_envelope(key: str) -> None:
    """Such names would stay in memory, as keys of what is known of a log stream."""
    delta, _ = counted(envelope(GOOD, **{key: "n" * 512}), envelope(GOOD, **{key: "n" * 513}))

    assert {"data": 1, "malformed": 1} == labelled(delta, counts.PAYLOADS)
    assert {"payload_not_envelope": 1} == labelled(delta, counts.MALFORMED)


def test_a_long_interface_is_not_remembered() -> None:
    """It is not like an id: nothing is learned, and nothing is reported."""
    attributor = Attributor(Index(INVENTORY))
    counter = PayloadCounter(Formats(), attributor, frozenset(), LIMIT)
    delta = Delta()

    for peer in range(3):
        counter.count(envelope(line("10.0.1.77", f"8.8.8.{peer}", "eni-" + "x" * 61)), ORIGIN, NOW, delta)
    counter.finish(NOW, delta)

    assert {"bad_interface": 3} == labelled(delta, counts.MALFORMED)
    assert set() == attributor.unknown_interfaces


def test_the_number_of_log_events_is_bounded() -> None:
    """By one for each 128 bytes of the limit, however short they are."""
    fits, too_many = ["x"] * (LIMIT // 128), ["x"] * (LIMIT // 128 + 1)
    payloads = [gzip.compress(json.dumps(_content(events)).encode()) for events in (fits, too_many)]
    counter, delta = _fresh()

    for payload in payloads:
        counter.count(payload, ORIGIN, NOW, delta)

    assert {"malformed": LIMIT // 128} == labelled(delta, counts.EVENTS)
    assert {"field_count": LIMIT // 128, "payload_too_large": 1} == labelled(delta, counts.MALFORMED)


def _content(messages: list[str]) -> dict[str, object]:
    return {"messageType": "DATA_MESSAGE", "logEvents": [{"message": message} for message in messages]}


def test_envelopes_before_the_bound_are_counted() -> None:
    """Only the envelope with too many log events, and those after it, are malformed."""
    good = gzip.decompress(envelope(GOOD))
    many = json.dumps(_content(["x"] * (LIMIT // 128))).encode()

    counter, delta = _fresh()
    counter.count(gzip.compress(good + many + good), ORIGIN, NOW, delta)

    assert {"partial": 1} == labelled(delta, counts.PAYLOADS)
    assert {"counted": 1} == labelled(delta, counts.EVENTS)
    assert {"payload_too_large": 1} == labelled(delta, counts.MALFORMED)


def test_records_wait_only_with_so_many_characters() -> None:
    """A line may be long, so a bound on their number is not enough; what was taken makes room again."""
    waiting = WaitingRecords(max_records=10, max_characters=5)
    record = LineFormat().parse(GOOD)

    waiting.add(NO_LOG_STREAM, WaitingRecord(ORIGIN, "12345", record))
    assert waiting.is_full
    waiting.take(NO_LOG_STREAM)
    assert not waiting.is_full
