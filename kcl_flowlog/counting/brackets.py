"""The ends of JSON objects that follow each other in a text, told by their brackets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcl_flowlog.errors import Malformed

_MAX_TOKENS = 4_000_000
"""Most brackets and strings that are searched for the ends of envelopes: a second's work."""
# A text with more of them is not made of envelopes; the shortest envelope has four in 33 bytes.
_BYTES_OF_TOKEN = 8
# JSON that is nested deeper is not decoded either.
_MAX_DEPTH = 1024
# The brackets of JSON; and its strings as a whole, so that a bracket in a string does not count. A string without
# an end reaches to the end of the text. Nothing here repeats a group, which would take memory for each repetition.
_TOKENS = re.compile(rb'"[^"]*"?|([{}\[\]])')


def ends_of_objects(text: bytes) -> Iterator[int]:
    """Yield the end of each JSON object in a text, as far as its brackets tell.

    Ends at a bracket that closes nothing, or is nested too deep. Raises `Malformed` if there are too many brackets and
    strings.
    """
    depth = 0
    max_tokens = min(_MAX_TOKENS, 1024 + len(text) // _BYTES_OF_TOKEN)
    for number, match in enumerate(tokens_of(text)):
        if number >= max_tokens:
            raise Malformed("payload_too_large")
        bracket = match[1]
        if bracket is None:
            continue
        if bracket in b"{[":
            depth += 1
            if depth > _MAX_DEPTH:
                return
        else:
            depth -= 1
            if depth == 0:
                yield match.end()
            elif depth < 0:
                return


def tokens_of(text: bytes) -> Iterator[re.Match[bytes]]:
    """Return the brackets of a JSON text, each as group 1 of a match, and its strings as a whole."""
    return _TOKENS.finditer(_without_escapes(text))


def _without_escapes(text: bytes) -> bytes:
    """Return a text of the same length whose backslashes and quotes within strings are blank."""
    return text.replace(b"\\\\", b"  ").replace(b'\\"', b"  ") if b"\\" in text else text
