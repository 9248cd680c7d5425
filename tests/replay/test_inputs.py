"""What is in a file is recognised by its content."""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.replay.inputs import read_items
from kcl_flowlog.replay.items import Events, Item, Payload, Unreadable
from tests.support.builders import GOOD, envelope, line
from tests.support.replay import dead_letter, dead_letter_file, imbalances_in, nonzero, parquet_file, replay

PAYLOAD = envelope(GOOD, "bad")
BASE64 = base64.b64encode(PAYLOAD)
PLAIN = gzip.decompress(PAYLOAD)
PLAIN_BASE64 = base64.b64encode(PLAIN)
ZLIB = zlib.compress(PLAIN)
ZLIB_BASE64 = base64.b64encode(ZLIB)
NESTED = gzip.compress(PAYLOAD)
UNREADABLE = Unreadable("payload", "payload_damaged")


def items(content: bytes) -> Iterator[Item]:
    return read_items(io.BytesIO(content), "a file")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (PAYLOAD, [Payload(PAYLOAD, 1)]),
        (PLAIN, [Payload(PLAIN, 1)]),
        (BASE64, [Payload(BASE64, 1)]),
        (BASE64 + b"\n\n" + PLAIN_BASE64 + b"\n", [Payload(BASE64, 1), Payload(PLAIN_BASE64, 3)]),
        (gzip.compress(BASE64), [Payload(BASE64, 1)]),
        (ZLIB, [Payload(ZLIB)]),
        (ZLIB_BASE64 + b"\n" + BASE64, [Payload(ZLIB_BASE64, 1), Payload(BASE64, 2)]),
        (b"\xef\xbb\xbf" + PLAIN, [Payload(PLAIN, 1)]),
        (NESTED, [Payload(NESTED)]),
        (bytes(range(256)), [Payload(bytes(range(256)))]),
        (gzip.compress(GOOD.encode())[:-9], [UNREADABLE]),
        (
            dead_letter_file(dead_letter("payload", "eA==", "payload_damaged", truncated=True)),
            [Unreadable("payload", "payload_damaged", 1, "eA==")],
        ),
    ],
    ids=[
        "nothing",
        "a payload",
        "an envelope",
        "base64",
        "base64, a line each",
        "compressed base64",
        "zlib",
        "zlib in base64",
        "an envelope after a byte order mark",
        "a compressed payload",
        "binary",
        "damaged gzip data",
        "dead letters",
    ],
)
def test_a_file_is_recognised_by_its_content(content: bytes, expected: list[Item]) -> None:
    """Payloads come out as they went in."""
    assert expected == list(items(content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD.encode(), GOOD),
        (b'{"x":1}', '{"x":1}'),
        (b"eyes", "eyes"),
        (parquet_file({"interface_id": "eni-a"}), "eni-a"),
    ],
    ids=["a line", "JSON", "a word like base64", "Parquet"],
)
def test_everything_else_is_lines(content: bytes, expected: str) -> None:
    """A Parquet file holds lines, too."""
    (item,) = items(content)

    assert isinstance(item, Events)
    assert [expected] == [event.message for event in item.events if not isinstance(event, bytes)]


def test_a_large_binary_file_is_one_bad_payload() -> None:
    """Only its beginning is held; it is too large for a payload anyway."""
    (item,) = items(bytes(11_000_000))

    assert Payload(bytes(64 * 1024)) == item


def test_a_cut_file_gives_what_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """All whole lines, however small the file; the log names it."""
    text = "".join(f"{line('10.0.1.10', '198.51.100.7', bytes=size)}\n" for size in range(1000, 1400))

    report = replay(gzip.compress(text.encode())[:-90])

    assert 200 < nonzero(report.outcomes).pop("counted") < 400
    assert ({"malformed": 1}, {"payload_damaged": 1}) == (nonzero(report.payloads), report.malformed)
    assert ["The compressed data is cut short or damaged; what comes before it is counted"] == caplog.messages


_CONTENT = st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode))
_FILES = st.one_of(_CONTENT, _CONTENT.map(gzip.compress))


@settings(deadline=None)
@given(_FILES)
def test_the_counts_of_any_file_add_up(content: bytes) -> None:
    """Nothing counts twice, and no bytes raise anything."""
    assert [] == imbalances_in(replay(content))
