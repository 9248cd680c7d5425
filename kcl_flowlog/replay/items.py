"""What the reader of a file returns: things to count."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.log_stream import LogStream


class Payload(NamedTuple):
    """A payload as it comes from Kinesis."""

    data: bytes


class Events(NamedTuple):
    """Log events of a log stream. An event without a text message is its raw JSON.

    `log_format` is the format that the file names, or empty.
    """

    log_stream: LogStream
    events: list[LogEvent | bytes]
    log_format: str = ""


class Unreadable(NamedTuple):
    """Bad data whose text is lost. `kind` and `reason` are those of its dead letter."""

    kind: str
    reason: str


Item = Payload | Events | Unreadable
