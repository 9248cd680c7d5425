"""Envelopes as JSON: one payload, or many."""

from __future__ import annotations

import gzip
import json
import random

import pytest

from kcl_flowlog.counting.envelope import MAX_ENVELOPES
from kcl_flowlog.replay.envelopes import holds_envelopes
from tests.support.builders import GOOD, NODATA, envelope
from tests.support.replay import imbalances_in, nonzero, replay

PLAIN = gzip.decompress(envelope(GOOD, "bad"))
OTHER = gzip.decompress(envelope(NODATA))
# An envelope of 12 kB that compresses to next to nothing: a file of them is small enough for a payload.
WIDE = gzip.decompress(envelope(GOOD, logStream="eni-a-%d")).replace(b"to-kinesis", b"to-kinesis" * 1200)

# A file, and its log events and payloads by outcome.
FILES: dict[str, tuple[bytes, dict[str, int], dict[str, int]]] = {
    "JSON": (PLAIN, {"counted": 1, "malformed": 1}, {"plain": 1}),
    "indented JSON": (
        b"\n" + json.dumps(json.loads(PLAIN), indent=2).encode(),
        {"counted": 1, "malformed": 1},
        {"plain": 1},
    ),
    "JSON with something behind it": (PLAIN + b" rest", {"counted": 1, "malformed": 1}, {"partial": 1}),
    "two envelopes in a payload": (
        gzip.compress(PLAIN + OTHER),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 1},
    ),
    "two indented envelopes in a payload": (
        gzip.compress(b"\n".join(json.dumps(json.loads(text), indent=2).encode() for text in (PLAIN, OTHER))),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 1},
    ),
    "two envelopes with a line for each event in a payload": (
        gzip.compress(b"".join(text.replace(b'"logEvents": [', b'"logEvents": [\n') for text in (PLAIN, OTHER))),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 1},
    ),
    "an envelope per line": (PLAIN + b"\n" + OTHER + b"\n", {"counted": 1, "malformed": 1, "nodata": 1}, {"plain": 2}),
    "an envelope per line, compressed": (
        gzip.compress(PLAIN + b"\n" + OTHER + b"\n"),
        {"counted": 1, "malformed": 1, "nodata": 1},
        {"data": 2},
    ),
    "the same envelope twice": (
        PLAIN + b"\n" + PLAIN,
        {"counted": 1, "malformed": 1, "duplicate": 2},
        {"plain": 1, "duplicate": 1},
    ),
    "as many envelopes as a payload may hold": (
        gzip.compress(b"".join(gzip.decompress(envelope(GOOD, logStream=f"eni-a-{n}")) for n in range(MAX_ENVELOPES))),
        {"counted": MAX_ENVELOPES},
        {"data": 1},
    ),
    "more envelopes than a payload may hold": (
        gzip.compress(
            b"".join(gzip.decompress(envelope(GOOD, logStream=f"eni-a-{n}")) for n in range(MAX_ENVELOPES + 1))
        ),
        {"counted": MAX_ENVELOPES + 1},
        {"data": MAX_ENVELOPES + 1},
    ),
    "small when compressed, large when not": (
        gzip.compress(b"".join(WIDE % n for n in range(1100))),
        {"counted": 1100},
        {"data": 1100},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_envelopes_are_split_into_payloads(name: str) -> None:
    """A file that Kinesis could have carried is one payload; otherwise each envelope is. The counts add up."""
    content, events, payloads = FILES[name]

    report = replay(content)

    assert (events, payloads) == (nonzero(report.outcomes), nonzero(report.payloads))
    assert [] == imbalances_in(report, sum(events.values()))


@pytest.mark.parametrize(
    ("head", "is_recognised"),
    [
        (PLAIN, True),
        (b" \n" + PLAIN, True),
        (b'{"messageType":"DATA_MESSAGE"', True),
        (b'{"logEvents":[', True),
        (b'{"version":2}', False),
        (b'line with "messageType"', False),
        (b"", False),
    ],
)
def test_an_envelope_is_recognised_by_its_first_keys(head: bytes, is_recognised: bool) -> None:
    """Either of the two keys is enough."""
    assert is_recognised == holds_envelopes(head)


def test_a_cut_file_of_envelopes_gives_those_that_are_whole() -> None:
    """The rest is one damaged payload, and not one that is no JSON as well."""
    large = json.dumps({**json.loads(PLAIN), "subscriptionFilters": [random.Random(1).randbytes(5000).hex()]}).encode()
    content = gzip.compress(PLAIN + b"\n" + OTHER + b"\n" + large)

    report = replay(content[:-3000])

    assert ({"counted": 1, "malformed": 1, "nodata": 1}, {"data": 2, "malformed": 1}) == (
        nonzero(report.outcomes),
        nonzero(report.payloads),
    )
    assert {"field_count": 1, "payload_damaged": 1} == report.malformed
