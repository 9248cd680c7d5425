"""The daemon's messages to a processor: a line of JSON each, as objects of amazon_kclpy.

A batch is a line of up to 14 MB. Its records are handed over one by one while the rest of the line is still in the
pipe, so that a processor holds one record and not the batch. Promises that nothing is answered before the whole line
was read: neither a status nor a checkpoint. Raises `ValueError` if a line is not a valid message; in a batch, once the
records before the damage were taken. This must end the process.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, TextIO

import msgspec
from amazon_kclpy import dispatch, kcl, messages

# Some records; what is read stays in the CPU's cache.
_CHUNK = 1 << 17
_BATCH = "processRecords"
# How the line of a batch begins, if Java finds the fields of a class in their order. A batch in another order is
# read as a whole.
_HEAD = b'{"action":"processRecords","records":['


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
_decode_record = msgspec.json.Decoder(_Record).decode


class Batch(messages.ProcessRecordsInput):  # type: ignore[misc] # amazon_kclpy has no types
    """A batch whose `records` are read while they are taken, once; `millis_behind_latest` is known after the last."""

    def __init__(self, pipe: Pipe) -> None:
        super().__init__({"action": _BATCH, "records": self._read(pipe), "millisBehindLatest": None})
        self.is_read = False

    def _read(self, pipe: Pipe) -> Iterator[messages.Record]:
        mark = pipe.take(1) if pipe.begins_with(b"]") else b","
        while mark == b",":
            yield _to_kclpy(pipe.take_record())
            mark = pipe.take(1)
        if mark != b"]":
            raise msgspec.DecodeError("A record of a batch is not followed by another, nor by the end of the list.")
        rest = _decode_message(_HEAD + mark + pipe.take_line())
        self._millis_behind_latest = rest.millis_behind_latest
        self.is_read = True


class Pipe:
    """The bytes that were read from a pipe, and not taken yet."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._text = bytearray()

    def begins_with(self, text: bytes) -> bool:
        """Tell whether this text comes next; does not read further than the line."""
        while len(self._text) < len(text) and b"\n" not in self._text and self._read():
            pass
        return self._text.startswith(text)

    def take(self, size: int) -> bytes:
        """Return and remove this many bytes, fewer at the end of the pipe."""
        while len(self._text) < size and self._read():
            pass
        taken = self._copy(0, size)
        del self._text[:size]
        return taken

    def take_line(self) -> bytes:
        """Return and remove the line, without a newline at its end if the pipe has ended."""
        end = self._find(b"\n")
        return self.take(len(self._text) if end < 0 else end + 1)

    def take_record(self) -> _Record:
        """Return and remove a record. Raises `ValueError` if it is damaged."""
        end = self._find(b"}")
        try:
            record = _decode_record(self._copy(0, end + 1))
        except msgspec.DecodeError:
            # It is damaged, or the brace is in its partition key.
            end = self._find_end(end)
            record = _decode_record(self._copy(0, end + 1))
        del self._text[: end + 1]
        return record

    def _find_end(self, brace: int) -> int:
        """Return the place of the first brace, from this on, that no string contains; -1 if there is no such brace."""
        begin, is_within = 0, False
        while brace >= 0:
            piece = self._copy(begin, brace).replace(rb"\\", b"").replace(rb"\"", b"")
            is_within ^= piece.count(b'"') % 2 == 1
            if not is_within:
                break
            begin, brace = brace + 1, self._find(b"}", brace + 1)
        return brace

    def _find(self, mark: bytes, begin: int = 0) -> int:
        """Return the place of a byte in the line, -1 if it is not there."""
        while (place := self._text.find(mark, begin)) < 0:
            size = len(self._text)
            if self._text.find(b"\n", begin) >= 0 or not self._read():
                return -1
            begin = size
        return place

    def _copy(self, begin: int, end: int) -> bytes:
        with memoryview(self._text) as view:
            return bytes(view[begin:end])

    def _read(self) -> bool:
        """Read what is there; return False at the end of the pipe."""
        chunk = self._file.read(_CHUNK)
        self._text += chunk
        return bool(chunk)


class Requests(kcl._IOHandler):  # type: ignore[misc] # amazon_kclpy has no types
    """Reads the daemon's messages, and writes the answers."""

    def __init__(self, requests: io.FileIO, answers: TextIO, errors: TextIO) -> None:
        super().__init__(requests, answers, errors)
        self._pipe = Pipe(requests)
        self._batch: Batch | None = None

    def read_line(self) -> bytes:
        """Return the next line, empty at the end; of a batch only the beginning, whose records follow."""
        return self._pipe.take(len(_HEAD)) if self._pipe.begins_with(_HEAD) else self._pipe.take_line()

    def load_action(self, line: bytes) -> Any:
        """Return the message in a line."""
        if line == _HEAD:
            self._batch = Batch(self._pipe)
            return self._batch
        message = _decode_message(line)
        if message.action != _BATCH:
            return dispatch.message_decode(msgspec.json.decode(line))
        records = map(_to_kclpy, message.records)
        return messages.ProcessRecordsInput(
            {"action": _BATCH, "records": records, "millisBehindLatest": message.millis_behind_latest}
        )

    def write_action(self, response: dict[str, Any]) -> None:
        """Write an answer. Raises `RuntimeError` if the batch was not read to its end."""
        if self._batch is not None and not self._batch.is_read:
            raise RuntimeError("A batch must be read to its end before anything is answered.")
        super().write_action(response)


def _to_kclpy(record: _Record) -> messages.Record:
    return messages.Record(
        {
            "data": memoryview(record.data)[1:-1],
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "subSequenceNumber": record.sub_sequence_number,
            "approximateArrivalTimestamp": record.approximate_arrival_timestamp,
        }
    )
