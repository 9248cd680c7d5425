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

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.replay.inputs import read_items
from kcl_flowlog.replay.items import Events, Item, Payload, Unreadable
from tests.support.builders import GOOD, envelope
from tests.support.replay import dead_letter, dead_letter_file, imbalances_in, parquet_file, replay

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
        (PAYLOAD, [Payload(PAYLOAD)]),
        (PLAIN, [Payload(PLAIN)]),
        (BASE64, [Payload(BASE64)]),
        (BASE64 + b"\n\n" + PLAIN_BASE64 + b"\n", [Payload(BASE64), Payload(PLAIN_BASE64)]),
        (gzip.compress(BASE64), [Payload(BASE64)]),
        (ZLIB, [Payload(ZLIB)]),
        (ZLIB_BASE64 + b"\n" + BASE64, [Payload(ZLIB_BASE64), Payload(BASE64)]),
        (b"\xef\xbb\xbf" + PLAIN, [Payload(PLAIN)]),
        (NESTED, [Payload(NESTED)]),
        (bytes(range(256)), [Payload(bytes(range(256)))]),
        (gzip.compress(GOOD.encode())[:-9], [UNREADABLE]),
        (dead_letter_file(dead_letter("payload", "", "payload_damaged", truncated=True)), [UNREADABLE]),
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
    ("content", "line"),
    [
        (GOOD.encode(), GOOD),
        (b'{"x":1}', '{"x":1}'),
        (b"eyes", "eyes"),
        (parquet_file({"interface_id": "eni-a"}), "eni-a"),
    ],
    ids=["a line", "JSON", "a word like base64", "Parquet"],
)
def test_everything_else_is_lines(content: bytes, line: str) -> None:
    """A Parquet file holds lines, too."""
    (item,) = items(content)

    assert isinstance(item, Events)
    assert [line] == [event.message for event in item.events if not isinstance(event, bytes)]


def test_a_large_binary_file_is_one_bad_payload() -> None:
    """Only its beginning is held; it is too large for a payload anyway."""
    (item,) = items(bytes(11_000_000))

    assert Payload(bytes(64 * 1024)) == item


def test_damage_within_a_file_ends_it() -> None:
    """What came before is counted."""
    content = gzip.compress(b"bad\n" * 200_000, compresslevel=1)

    first, *rest = items(content[:-20])

    assert isinstance(first, Events)
    assert UNREADABLE == rest[-1]


_CONTENT = st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode))
_FILES = st.one_of(_CONTENT, _CONTENT.map(gzip.compress))


@settings(deadline=None)
@given(_FILES)
def test_the_counts_of_any_file_add_up(content: bytes) -> None:
    """Nothing counts twice, and no bytes raise anything but the error that names a damaged Parquet file."""
    try:
        found = imbalances_in(replay(content))
    except ConfigError as error:
        found = [] if "Parquet" in str(error) else [str(error)]

    assert [] == found
