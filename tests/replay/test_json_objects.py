"""JSON objects, found in a file of any size."""

from __future__ import annotations

import io

import pytest

from kcl_flowlog.replay.json_objects import split_elements, split_objects


def file(text: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(text))


@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b' {"a":1}\n{"b":{}} ', [(1, b' {"a":1}'), (2, b'\n{"b":{}}')]),
        (b'{"a":"}"}', [(1, b'{"a":"}"}')]),
        (b'{"a":1} rest', [(1, b'{"a":1}'), (1, b" rest")]),
        (b'\n\n{"a":1', [(3, b'\n\n{"a":1')]),
    ],
)
def test_objects_are_split_whatever_the_pieces(text: bytes, expected: list[tuple[int, bytes]], piece: int) -> None:
    """An object may reach over several reads, and has the line that it begins in."""
    assert expected == list(split_objects(file(text), piece, 1000))


def test_an_endless_object_is_given_up() -> None:
    """What was read of it is the last item, so that a damaged file can't fill the memory."""
    text = b'{"a":1}{"' + b"x" * 1000

    assert [(1, b'{"a":1}'), (1, b'{"' + b"x" * 19)] == list(split_objects(file(text), 4, 20))
    assert [(1, b"{[[[")] == list(split_elements(file(b"{[[["), 1, 1000))
    assert [(1, b'{"a":{"' + b"x" * 17)] == list(split_elements(file(b'{"a":{"' + b"x" * 1000), 4, 20))


@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b'{"a": [{"x": 1},\n {"y": {"z": [{}]}}], "b": "}"}', [(1, b'{"x": 1}'), (2, b'{"y": {"z": [{}]}}')]),
        (b'{"a": {"x": 1}}', [(1, b'{"x": 1}')]),
        (b'{"a": "{}"}\n\n{"b": [{}]}', [(3, b"{}")]),
        (b'{"a": [[{}]], "b": [{"x": "\\"]}"}]}', [(1, b'{"x": "\\"]}"}')]),
        (b'{"a": [{"x": 1}, {"y"', [(1, b'{"x": 1}'), (1, b', {"y"')]),
        (b'{"a": []} junk {"b": [{}]}', [(1, b"junk "), (1, b"{}")]),
        (b'{"a": [{}]}\n]{"b": [{}]}', [(1, b"{}"), (2, b"]"), (2, b"{}")]),
    ],
)
def test_elements_are_split_whatever_the_pieces(text: bytes, expected: list[tuple[int, bytes]], piece: int) -> None:
    """Those in the arrays of each document, and what is no document."""
    assert expected == list(split_elements(file(text), piece, 1000))
