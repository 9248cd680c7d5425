"""The daemon's messages to a processor: a line of JSON each, as objects of amazon_kclpy.

A batch is a line of up to 14 MB. Promises to hold it once: the payload of a record stays a part of the line, in base64,
until the record is counted. Raises `msgspec.DecodeError` for a line that is no message, which must end the process.
"""

from __future__ import annotations

import io
import mmap
from typing import Any, TextIO

import msgspec
from amazon_kclpy import dispatch, kcl, messages

# The room of a pipe: no more can be read at once.
_CHUNK = 1 << 16
_ROOM = 1 << 20
_BATCH = "processRecords"


class _Record(msgspec.Struct, rename="camel"):
    """A record; `data` is what stands in the line, in quotes."""

    data: msgspec.Raw
    partition_key: str
    sequence_number: str
    sub_sequence_number: int | None
    approximate_arrival_timestamp: int


class _Message(msgspec.Struct, rename="camel"):
    """Any message; only a batch has records."""

    action: str
    records: list[_Record] = []
    millis_behind_latest: int | None = None


_decode_message = msgspec.json.Decoder(_Message).decode


class Requests(kcl._IOHandler):  # type: ignore[misc] # amazon_kclpy has no types
    """Reads the daemon's messages, and writes the answers."""

    def __init__(self, requests: io.FileIO, answers: TextIO, errors: TextIO) -> None:
        super().__init__(requests, answers, errors)
        self._rest = b""

    def read_line(self) -> memoryview:
        """Return the next line, empty at the end."""
        room = mmap.mmap(-1, _ROOM, mmap.MAP_PRIVATE)
        size = 0
        chunk = self._rest or self.input_file.read(_CHUNK)
        while chunk:
            head, newline, self._rest = chunk.partition(b"\n")
            end = size + len(head) + len(newline)
            while end > len(room):
                room.resize(2 * len(room))
            room[size:end] = head + newline
            size = end
            if newline:
                break
            chunk = self.input_file.read(_CHUNK)
        return memoryview(room)[:size]

    def load_action(self, line: memoryview) -> Any:
        """Return the message in a line."""
        message = _decode_message(line)
        if message.action != _BATCH:
            return dispatch.message_decode(msgspec.json.decode(line))
        records = [
            messages.Record(
                {
                    "data": memoryview(record.data)[1:-1],
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence_number,
                    "subSequenceNumber": record.sub_sequence_number,
                    "approximateArrivalTimestamp": record.approximate_arrival_timestamp,
                }
            )
            for record in message.records
        ]
        return messages.ProcessRecordsInput(
            {"action": _BATCH, "records": records, "millisBehindLatest": message.millis_behind_latest}
        )
