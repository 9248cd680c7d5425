"""The daemon's messages: read in any pieces, decoded to amazon_kclpy's objects, and held once."""

from __future__ import annotations

import base64
import io
import json
import mmap
import os
import sys
import tracemalloc
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, cast

import msgspec
import pytest
from amazon_kclpy import messages

from kcl_flowlog.processor.__main__ import FailStopProcess
from kcl_flowlog.processor.requests import Requests
from kcl_flowlog.processor.shard import ShardProcessor


class Pieces(io.FileIO):
    """A pipe that gives these pieces, one for each read."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(os.open(os.devnull, os.O_RDONLY))
        self._pieces = [*pieces]

    def read(self, size: int | None = -1, /) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""


@pytest.fixture
def made() -> Iterator[Callable[..., Requests]]:
    """Return a function that makes requests of the pieces of a pipe."""
    with ExitStack() as stack:
        yield lambda *pieces: Requests(stack.enter_context(Pieces(pieces)), io.StringIO(), sys.stderr)


def batch(*payloads: bytes) -> bytes:
    """Return a batch as the daemon writes it."""
    records = [
        {
            "action": "record",
            "data": base64.b64encode(payload).decode(),
            "partitionKey": "é",
            "sequenceNumber": str(number),
            "subSequenceNumber": None if number == 1 else number,
            "approximateArrivalTimestamp": 1_700_000_000_000 + number,
        }
        for number, payload in enumerate(payloads, 1)
    ]
    message = {"action": "processRecords", "records": records, "millisBehindLatest": 12}
    return json.dumps(message).encode() + b"\n"


LARGE = b'"' + b"x" * 3_000_000 + b'"\n'


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ((), []),
        ((b"a\n",), [b"a\n"]),
        ((b"a", b"b\n"), [b"ab\n"]),
        ((b"a\nb\n", b"c\n"), [b"a\n", b"b\n", b"c\n"]),
        ((b"a\nb", b"c\n"), [b"a\n", b"bc\n"]),
        ((b"\n\n",), [b"\n", b"\n"]),
        ((b"a\nb",), [b"a\n", b"b"]),
        (("é\n".encode(),), ["é\n".encode()]),
        ([LARGE[at : at + 65_536] for at in range(0, len(LARGE), 65_536)], [LARGE]),
    ],
)
def test_lines_are_whole_however_they_come(
    made: Callable[..., Requests], pieces: Sequence[bytes], lines: list[bytes]
) -> None:
    """Also those larger than a pipe, and several at once."""
    requests = made(*pieces)
    assert lines == [bytes(line) for line in iter(requests.read_line, b"")]


def test_a_batch_has_the_records_of_its_line(made: Callable[..., Requests]) -> None:
    """As amazon_kclpy would decode it, but `data` is a part of the line."""
    requests = made(batch(b"one", b"two"))

    action = requests.load_action(requests.read_line())

    assert isinstance(action, messages.ProcessRecordsInput)
    assert ("processRecords", 12) == (action.action, action.millis_behind_latest)
    assert [
        (b"b25l", b"one", "1", None, "é", 1_700_000_000_001),
        (b"dHdv", b"two", "2", 2, "é", 1_700_000_000_002),
    ] == [
        (
            bytes(record.data),
            record.binary_data,
            record.sequence_number,
            record.sub_sequence_number,
            record.partition_key,
            record.timestamp_millis,
        )
        for record in action.records
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"action":"initialize","shardId":"s","sequenceNumber":"1","subSequenceNumber":0}', messages.InitializeInput),
        (
            b'{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":0,"error":null}',
            messages.CheckpointInput,
        ),
        (b'{"action":"leaseLost"}', messages.LeaseLostInput),
        (b'{"action":"shardEnded"}', messages.ShardEndedInput),
        (b'{"action":"shutdownRequested"}', messages.ShutdownRequestedInput),
        (b'{"action":"processRecords","records":[],"millisBehindLatest":null}', messages.ProcessRecordsInput),
    ],
)
def test_each_message_is_an_object_of_amazon_kclpy(
    made: Callable[..., Requests], line: bytes, kind: type[object]
) -> None:
    """All that the daemon sends."""
    requests = made(line + b"\n")
    assert kind is type(requests.load_action(requests.read_line()))


@pytest.mark.parametrize("line", [b"", b"\n", b"no JSON\n", b"{}\n", b'{"action":"processRecords","records":[{}]}\n'])
def test_what_is_no_message_raises(made: Callable[..., Requests], line: bytes) -> None:
    """So that the processor ends; a line that is cut off comes from a daemon that was killed."""
    requests = made(line)
    with pytest.raises(msgspec.DecodeError):
        requests.load_action(requests.read_line())


def test_a_batch_is_held_once(made: Callable[..., Requests]) -> None:
    """The line, outside of Python's memory, and of its payloads nothing more."""
    line = batch(*[bytes(100_000)] * 40)
    requests = made(*(line[at : at + 65_536] for at in range(0, len(line), 65_536)))
    tracemalloc.start()
    try:
        action = requests.load_action(requests.read_line())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 40 == len(action.records)
    assert 400_000 > peak


def test_a_batch_is_gone_before_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them would take twice the memory."""
    alive: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
    found: list[int] = []

    class Noted(mmap.mmap):
        def __init__(self, *_: Any) -> None:
            alive.add(self)
            found.append(len(alive))

    class Processor:
        version = 3

        def process_records(self, _: messages.ProcessRecordsInput) -> None:
            """Do nothing."""

    monkeypatch.setattr(mmap, "mmap", Noted)
    with Pieces([batch(b"one"), batch(b"two"), batch(b"three")]) as pipe:
        FailStopProcess(cast(ShardProcessor, Processor()), pipe, io.StringIO()).run()

    assert [1, 1, 1, 1] == found
