"""The content of a file, and its lines."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest

from kcl_flowlog.counting.unpacking import LARGEST_RECORD
from kcl_flowlog.replay.content import Content, Metered, numbered_lines, open_content, put_back

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


TEXT = b"".join(b"line %d\n" % number for number in range(9000))
GZIP = gzip.compress(TEXT, mtime=0)


@pytest.mark.parametrize(
    ("file", "expected", "is_damaged"),
    [
        (GZIP, TEXT, False),
        (GZIP * 2, TEXT * 2, False),
        (GZIP + bytes(70_000), TEXT, False),
        (GZIP + bytes(70_000) + GZIP, TEXT * 2, False),
        (GZIP[:-1], TEXT, True),
        (GZIP + b"junk", TEXT, True),
        (GZIP + GZIP[:9], TEXT, True),
        (GZIP[:-1] + b"x", TEXT, True),
        (b"\x1f\x8b", b"", True),
        (b"\x1f\x8bjunk", b"", True),
    ],
    ids=[
        "whole",
        "two members",
        "zeros behind it",
        "zeros between members",
        "cut off in its checksum",
        "junk behind it",
        "a second member that is cut off",
        "a wrong checksum",
        "only the magic number",
        "junk",
    ],
)
def test_gzip_data_is_read_as_far_as_it_goes(file: bytes, expected: bytes, is_damaged: bool) -> None:
    """Nothing is raised, so nothing that was read is lost."""
    content = open_content(io.BytesIO(file))
    text = content.text.read()

    # Of data with a wrong checksum the last piece may be missing.
    assert expected.startswith(text)
    assert len(expected) - len(text) <= 16 * 1024 * is_damaged
    assert is_damaged == content.is_damaged


@pytest.mark.parametrize("size", [30, 300, 3000, len(GZIP) // 2, len(GZIP) - 9])
def test_most_of_a_cut_file_is_read(size: int) -> None:
    """As much as `gunzip` shows before it complains, but for a word."""
    content = open_content(io.BytesIO(GZIP[:size]))
    text = content.text.read()
    whole = zlib.decompressobj(31).decompress(GZIP[:size])

    assert whole.startswith(text)
    assert len(whole) - len(text) < 10
    assert content.is_damaged


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
    assert expected == [line for _, line in numbered_lines(Content(b"", buffered(text), None))]


def test_lines_have_their_numbers() -> None:
    """As an editor shows them."""
    assert [(1, b"a"), (4, b"b")] == list(numbered_lines(Content(b"", buffered(b"a\n\n\nb"), None)))


def test_half_a_line_before_damage_is_left_out() -> None:
    """A number at its end would be another number."""
    content = open_content(io.BytesIO(GZIP[: len(GZIP) // 2]))

    *_, (number, last) = numbered_lines(content)

    assert b"line %d" % (number - 1) == last


def test_reading_tells_its_progress_in_small_steps() -> None:
    """However much is wanted at a time, so that a bar moves on a slow input."""
    steps: list[int] = []

    text = Metered(io.BytesIO(bytes(3 * MEGABYTE + 1)), steps.append).read(10 * MEGABYTE)

    assert (3 * MEGABYTE + 1, 13) == (len(text), len(steps))
    assert len(text) == sum(steps)
