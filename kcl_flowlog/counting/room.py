"""The room that one payload has: in memory, and in log events.

A few bytes of JSON can take twenty times as much memory once they are decoded.
A large text is therefore looked at before it is decoded: its brackets and
commas tell how many values it has at most, at the speed of memory. A text
without room is `Malformed` as `payload_too_large`.

Promises that a payload takes at most four times `--payload-limit`, and a fixed
amount of some megabytes, whatever it contains.
"""

from __future__ import annotations

from kcl_flowlog.errors import Malformed

# A text of so many bytes, or this many times smaller than the limit, has room, whatever it contains.
_SMALL = 65_536
_SMALL_PART = 16
# What a limit has room for: its text, and this many times as much for all that is decoded from it.
_TIMES = 4
_BYTES_OF_OBJECT = 256
_BYTES_OF_ELEMENT = 72
# The bytes of a character of text: as a message, as words, and while it is hashed. One emoji makes a text take four
# bytes for each of its characters.
_BYTES_OF_CHARACTER = 3
_BYTES_OF_WIDE_CHARACTER = 9

# A log event of a flow log has over 150 bytes.
_BYTES_OF_EVENT = 128
_MIN_EVENTS = 1024


class Room:
    """The room of a payload with this text. Raises `Malformed` if the text alone is too much."""

    def __init__(self, text: bytes, limit: int) -> None:
        self._text = text
        self._limit = limit
        self._events = max(_MIN_EVENTS, limit // _BYTES_OF_EVENT)
        self._is_small = len(text) <= max(_SMALL, limit // _SMALL_PART)
        self._check(0)

    def check_elements(self) -> None:
        """Check that there is room for lists of any JSON, not only of objects. Raises `Malformed`."""
        self._check(_BYTES_OF_ELEMENT)

    def take(self, events: int) -> None:
        """Use the room of this many log events. Raises `Malformed`."""
        if events > self._events:
            raise Malformed("payload_too_large")
        self._events -= events

    def _check(self, bytes_of_element: int) -> None:
        if self._is_small:
            return
        text = self._text
        is_narrow = text.isascii() and b"\\u" not in text
        needed = len(text) * (_BYTES_OF_CHARACTER if is_narrow else _BYTES_OF_WIDE_CHARACTER)
        needed += text.count(b"{") * _BYTES_OF_OBJECT
        if bytes_of_element:
            needed += text.count(b",") * bytes_of_element
        if needed > self._limit * _TIMES:
            raise Malformed("payload_too_large")
