"""JSON objects that stand one after the other in a file, found without decoding what is around them.

Holds one object and a piece of the file at a time.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from kcl_flowlog.counting.envelope import ends_of_objects, tokens_of
from kcl_flowlog.errors import Malformed

_PIECE_BYTES = 4 * 1024 * 1024
_MAX_OBJECT_BYTES = 64 * 1024 * 1024
# The open brackets around an object of a document, and around an element of its arrays.
_PARENTS = (b"{", b"{[")


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
    outside = b""
    while not is_hopeless and (piece := file.read(piece_bytes)):
        rest += piece
        start, opened, begin = 0, outside, 0
        for token in tokens_of(rest):
            bracket = token[1]
            if bracket is None:
                continue
            if not opened and (junk := rest[start : token.start()] + (bracket if bracket in b"}]" else b"")).strip():
                yield line + _lines_before(junk), junk
                line += junk.count(b"\n")
                start = token.end() if bracket in b"}]" else token.start()
            if bracket in b"{[":
                begin = token.start() if opened in _PARENTS and bracket == b"{" else begin
                opened += bracket
                continue
            opened = opened[:-1]
            if opened not in _PARENTS or bracket == b"]":
                # Nothing but an element or a document ends a piece of work.
                if opened:
                    continue
                begin = token.end()
            if text := rest[begin : token.end()]:
                yield line + rest.count(b"\n", start, begin), text
            line += rest.count(b"\n", start, token.end())
            start, outside = token.end(), opened
        rest = rest[start:]
        is_hopeless = len(rest) > max_object_bytes
    if rest.strip():
        yield line + _lines_before(rest), rest


def _lines_before(text: bytes) -> int:
    """Return how many lines end before a text begins."""
    return text.count(b"\n", 0, len(text) - len(text.lstrip()))
