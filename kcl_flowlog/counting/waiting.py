"""Records that wait until more is known of their interface.

The records of an interface that the inventory lacks tell its address only
together, and may come in several payloads. Holds a bounded number of records and characters;
knows nothing of how a record is placed.
"""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin

_MAX_RECORDS = 10_000
_MAX_CHARACTERS = 4_000_000
"""Of the lines: a line may be long. Some megabytes, like the records."""


class WaitingRecord(NamedTuple):
    """A record with its line and the payload that it came in."""

    origin: PayloadOrigin
    line: str
    record: FlowRecord


class WaitingRecords:
    """The waiting records by log stream."""

    def __init__(self, max_records: int = _MAX_RECORDS, max_characters: int = _MAX_CHARACTERS) -> None:
        self._max_records = max_records
        self._max_characters = max_characters
        self._by_log_stream: dict[LogStream, list[WaitingRecord]] = {}
        self._count = 0
        self._characters = 0

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for another record."""
        return self._count >= self._max_records or self._characters >= self._max_characters

    @property
    def log_streams(self) -> list[LogStream]:
        """The log streams that have waiting records."""
        return list(self._by_log_stream)

    def add(self, log_stream: LogStream, waiting: WaitingRecord) -> None:
        """Let a record wait. The caller checks `is_full`."""
        self._by_log_stream.setdefault(log_stream, []).append(waiting)
        self._count += 1
        self._characters += len(waiting.line)

    def take(self, log_stream: LogStream) -> list[WaitingRecord]:
        """Remove and return the records of a log stream, oldest first."""
        taken = self._by_log_stream.pop(log_stream, [])
        self._count -= len(taken)
        self._characters -= sum(len(waiting.line) for waiting in taken)
        return taken

    def clear(self) -> None:
        """Remove all records."""
        self._by_log_stream.clear()
        self._count = self._characters = 0
