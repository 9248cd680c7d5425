"""The content of a file, and its lines."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest

from kcl_flowlog.counting.unpacking import LARGEST_RECORD
from kcl_flowlog.replay.content import lines, open_content, put_back

MEGABYTE = 1024 * 1024


def buffered(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


@pytest.mark.parametrize("is_gzip", [False, True])
def test_the_content_is_decompressed(is_gzip: bool) -> None:
    """`raw` is the file as it is, `text` its content, and `head` the beginning of that."""
    text = bytes(range(256)) * 1000
    file = gzip.compress(text) if is_gzip else text

    content = open_content(io.BytesIO(file))

    assert (is_gzip, file, text[: 64 * 1024], text) == (
        content.is_gzip,
        content.raw,
        content.head,
        content.text.read(),
    )


@pytest.mark.parametrize(("size", "is_raw"), [(LARGEST_RECORD, True), (LARGEST_RECORD + 1, False)])
def test_a_file_that_is_too_large_for_a_payload_is_not_held(size: int, is_raw: bool) -> None:
    """Its text is complete all the same."""
    content = open_content(io.BytesIO(bytes(size)))

    assert is_raw == (content.raw is not None)
    assert size == len(content.text.read())


def test_an_empty_file_has_an_empty_content() -> None:
    """Nothing is raised."""
    content = open_content(io.BytesIO(b""))

    assert (b"", b"", b"") == (content.head, content.raw, content.text.read())


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(b"x" * 99, mtime=0)[:-9], b"\x1f\x8b", b"\x1f\x8bjunk"],
    ids=["cut off", "only the magic number", "junk"],
)
def test_damaged_gzip_data_raises(damaged: bytes) -> None:
    """One of three errors, which the caller counts."""
    with pytest.raises((EOFError, zlib.error, gzip.BadGzipFile)):
        open_content(io.BytesIO(damaged)).text.read()


def test_bytes_can_be_put_back() -> None:
    """They come before the rest of the file."""
    file = io.BytesIO(b"start, rest")

    assert b"start, rest" == put_back(file.read(5), file).read()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"\n \n\r\n", []),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\n  b \r\n", [b"a", b"b"]),
        (b"x" * MEGABYTE + b"\nb", [b"x" * MEGABYTE, b"b"]),
        (b"x" * (3 * MEGABYTE) + b"y\nb", [b"x" * MEGABYTE, b"b"]),
        (b"x" * (2 * MEGABYTE), [b"x" * MEGABYTE]),
    ],
    ids=["empty", "blank", "without an end", "stripped", "one MB", "longer", "longer without an end"],
)
def test_lines_are_stripped_and_bounded(text: bytes, expected: list[bytes]) -> None:
    """Blank lines are left out, and a long line is cut off without the line after it."""
    assert expected == list(lines(buffered(text)))
