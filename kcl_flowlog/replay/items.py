"""What the reader of a file returns: things to count, each with its line in the file."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.log_stream import LogStream

MOST_EVENTS = 10_000
"""The most log events in memory at a time."""


class NumberedText(str):
    """The text of a log event that knows its line in the file."""

    __slots__ = ("number",)
    number: int


class NumberedBytes(bytes):
    """A log event without a text message, as JSON, that knows its line in the file."""

    number: int


class Payload(NamedTuple):
    """A payload as it comes from Kinesis. `line` is where it begins in the file, from 1 on; 0 if there are no lines."""

    data: bytes
    line: int = 0


class Events(NamedTuple):
    """Log events of a log stream. An event without a text message is its raw JSON.

    `log_format` is the format that the file names, or empty. `line` is that of events that don't know theirs.
    """

    log_stream: LogStream
    events: list[LogEvent | bytes]
    log_format: str = ""
    line: int = 0


class Unreadable(NamedTuple):
    """Bad data whose text is lost, but for its beginning. `kind`, `reason` and `body` are those of its dead letter."""

    kind: str
    reason: str
    line: int = 0
    body: str = ""


Item = Payload | Events | Unreadable


class Batch:
    """Log events of several log streams, until they are taken together."""

    def __init__(self) -> None:
        self._events: dict[LogStream, list[LogEvent | bytes]] = {}
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether the events should be taken, as they use much memory."""
        return self._size >= MOST_EVENTS

    def add(self, log_stream: LogStream, event: LogEvent) -> None:
        """Add an event."""
        self._events.setdefault(log_stream, []).append(event)
        self._size += 1

    def take(self, log_format: str = "") -> list[Events]:
        """Remove and return all events, with the format that the file names."""
        taken, self._events, self._size = self._events, {}, 0
        return [Events(log_stream, events, log_format) for log_stream, events in taken.items()]


def event(text: str, number: int) -> LogEvent:
    """Return the log event of a line with this number."""
    numbered = NumberedText(text)
    numbered.number = number
    return LogEvent(numbered)


def raw_event(raw: bytes, number: int) -> bytes:
    """Return the JSON of a log event without a text message, in a line with this number."""
    numbered = NumberedBytes(raw)
    numbered.number = number
    return numbered


def line_of(event: str | bytes, default: int) -> int:
    """Return the line of a log event, or `default` if it does not know."""
    return event.number if isinstance(event, (NumberedText, NumberedBytes)) else default
