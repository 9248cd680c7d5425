"""JSON objects that stand one after the other in a file, found without decoding what is around them.

Holds one object and a piece of the file at a time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from kcl_flowlog.counting.brackets import ends_of_objects, tokens_of
from kcl_flowlog.errors import Malformed

_PIECE_BYTES = 4 * 1024 * 1024
_MAX_OBJECT_BYTES = 64 * 1024 * 1024
# The open brackets around an object of a document, and around an element of its arrays.
_PARENTS = (b"{", b"{[")
# As in a payload.
_MAX_DEPTH = 1024


def split_objects(
    file: io.BufferedReader, piece_bytes: int = _PIECE_BYTES, max_object_bytes: int = _MAX_OBJECT_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Yield JSON objects that stand one after the other, each with its line and what precedes it; then what is left.

    Reads `piece_bytes` at a time. Gives up a file in which an object is larger than `max_object_bytes`.
    """
    rest = b""
    line = 1
    is_hopeless = False
    while not is_hopeless and (piece := file.read(piece_bytes)):
        rest += piece
        start = 0
        try:
            for end in ends_of_objects(rest):
                text = rest[start:end]
                yield line + _lines_before(text), text
                line += text.count(b"\n")
                start = end
        except Malformed:
            is_hopeless = True
        rest = rest[start:]
        is_hopeless = is_hopeless or len(rest) > max_object_bytes
    if rest.strip():
        yield line + _lines_before(rest), rest


def split_elements(
    file: io.BufferedReader, piece_bytes: int = _PIECE_BYTES, max_object_bytes: int = _MAX_OBJECT_BYTES
) -> Iterator[tuple[int, bytes]]:
    """Yield the objects in the documents of a file, and those in the arrays of the documents, each with its line.

    A document may be of any size, as when a command joins all pages of an answer. What is no document comes last.
    """
    rest, line, is_hopeless = b"", 1, False
    # The brackets that are open where `rest` begins.
    opened = b""
    while not is_hopeless and (piece := file.read(piece_bytes)):
        rest += piece
        start = 0
        for span in _spans(rest, opened):
            if span.begin < span.end:
                yield line + rest.count(b"\n", start, span.begin), rest[span.begin : span.end]
            line += rest.count(b"\n", start, span.end)
            start, opened = span.end, span.opened
        rest = rest[start:]
        is_hopeless = len(rest) > max_object_bytes
    if rest.strip():
        yield line + _lines_before(rest), rest


class _Span(NamedTuple):
    begin: int
    end: int
    opened: bytes


def _spans(text: bytes, opened: bytes) -> Iterator[_Span]:
    """Yield where elements are, what stands between documents, and where documents end, as an empty span.

    `opened` are the brackets that are open where the text begins, and where a span ends.
    """
    start = begin = 0
    for token in tokens_of(text):
        bracket = token[1]
        if bracket is None:
            continue
        if not opened:
            between = token.start() if bracket in b"{[" else token.end()
            if text[start:between].strip():
                yield _Span(start + _spaces_before(text[start:between]), between, b"")
            start = between
        if bracket in b"{[":
            if bracket == b"{" and opened in _PARENTS:
                begin = token.start()
            opened += bracket
            if len(opened) > _MAX_DEPTH:
                return
            continue
        opened = opened[:-1]
        if not opened or (bracket == b"}" and opened in _PARENTS):
            yield _Span(begin if opened else token.end(), token.end(), opened)
            start = token.end()


def _lines_before(text: bytes) -> int:
    """Return how many lines end before a text begins."""
    return text.count(b"\n", 0, _spaces_before(text))


def _spaces_before(text: bytes) -> int:
    return len(text) - len(text.lstrip())
