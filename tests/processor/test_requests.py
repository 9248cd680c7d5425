"""The daemon's messages: read in any pieces, decoded to amazon_kclpy's objects, and a batch record by record."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from amazon_kclpy import dispatch, messages
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.processor.requests import Requests
from tests.support.conversation import as_line


class Pieces(io.FileIO):
    """A pipe that gives these pieces, one for each read."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(os.open(os.devnull, os.O_RDONLY))
        self.pieces = [*pieces]

    def read(self, size: int | None = -1, /) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@pytest.fixture
def made() -> Iterator[Callable[..., Requests]]:
    """Return a function that makes requests of the pieces of a pipe."""
    with ExitStack() as stack:
        yield lambda *pieces: Requests(stack.enter_context(Pieces(pieces)), io.StringIO(), sys.stderr)


def cut(line: bytes, size: int) -> list[bytes]:
    """Return a line in pieces of this size."""
    return [line[at : at + size] for at in range(0, len(line), size)]


def message(*payloads: bytes, keys: Sequence[str] = ("é",)) -> dict[str, Any]:
    """Return a batch, as a dictionary."""
    records = [
        {
            "data": base64.b64encode(payload).decode(),
            "partitionKey": keys[number % len(keys)],
            "sequenceNumber": str(number),
            "approximateArrivalTimestamp": 1_700_000_000_000 + number,
            "subSequenceNumber": None if number == 1 else number,
            "action": "record",
        }
        for number, payload in enumerate(payloads, 1)
    ]
    return {"action": "processRecords", "records": records, "millisBehindLatest": 12}


def batch(*payloads: bytes, keys: Sequence[str] = ("é",)) -> bytes:
    """Return a batch as the daemon writes it."""
    return as_line(message(*payloads, keys=keys))


def seen(action: messages.ProcessRecordsInput) -> list[tuple[Any, ...]]:
    """Return what there is to see of a batch."""
    records = [
        (
            bytes(record.data) if isinstance(record.data, memoryview) else record.data.encode(),
            record.sequence_number,
            record.sub_sequence_number,
            record.partition_key,
            record.timestamp_millis,
        )
        for record in action.records
    ]
    return [*records, (action.action, action.millis_behind_latest)]


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
        (cut(LARGE, 65_536), [LARGE]),
    ],
)
def test_lines_are_whole_however_they_come(
    made: Callable[..., Requests], pieces: Sequence[bytes], lines: list[bytes]
) -> None:
    """Also those larger than a pipe, and several at once."""
    requests = made(*pieces)
    assert lines == [*iter(requests.read_line, b"")]


FORMS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "as the daemon writes it": as_line,
    "with spaces": lambda batch: json.dumps(batch).encode() + b"\n",
    "in another order": lambda batch: as_line(dict(sorted(batch.items()))),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_batch_has_the_records_of_its_line(made: Callable[..., Requests], form: str) -> None:
    """Of any form: Java need not find the fields of a class in their order."""
    requests = made(FORMS[form](message(b"one", b"two")))

    action = requests.load_action(requests.read_line())

    assert isinstance(action, messages.ProcessRecordsInput)
    assert [
        (b"b25l", "1", None, "é", 1_700_000_000_001),
        (b"dHdv", "2", 2, "é", 1_700_000_000_002),
        ("processRecords", 12),
    ] == seen(action)


@given(
    st.lists(st.binary(max_size=40), max_size=5),
    st.lists(st.text(st.sampled_from('}{"\\,]é\n '), max_size=8), min_size=1),
    st.sampled_from([1, 7, 100, 65_536]),
)
def test_a_batch_is_what_amazon_kclpy_makes_of_it(payloads: list[bytes], keys: list[str], size: int) -> None:
    """However it comes, with any partition keys; and what follows is the next message."""
    line = batch(*payloads, keys=keys)
    with Pieces(cut(line + b'{"action":"leaseLost"}\n', size)) as pipe:
        requests = Requests(pipe, io.StringIO(), sys.stderr)

        action = requests.load_action(requests.read_line())

        assert seen(json.loads(line, object_hook=dispatch.message_decode)) == seen(action)
        assert b'{"action":"leaseLost"}\n' == requests.read_line()


def test_a_record_is_handed_over_before_the_next_is_there(made: Callable[..., Requests]) -> None:
    """So that no more than a record and a pipe's room is held."""
    line = batch(b"one", b"two", b"three")
    begin_of_second = line.index(b"dHdv")
    requests = made(line[:begin_of_second], line[begin_of_second:])
    records = requests.load_action(requests.read_line()).records

    assert "1" == next(records).sequence_number
    assert [line[begin_of_second:]] == requests.input_file.pieces
    assert ["2", "3"] == [record.sequence_number for record in records]


def test_a_batch_is_never_held(made: Callable[..., Requests]) -> None:
    """Four megabytes take less than three of its records."""
    requests = made(*cut(batch(*[bytes(75_000)] * 40), 65_536))
    tracemalloc.start()
    try:
        records = requests.load_action(requests.read_line()).records
        number = sum(1 for _ in records)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 40 == number
    assert 600_000 > peak


def test_nothing_is_answered_before_all_of_a_batch_was_read(made: Callable[..., Requests]) -> None:
    """Its end might be damaged; and the daemon answers a checkpoint only after it has written the line."""
    requests = made(batch(b"one", b"two"))
    records = requests.load_action(requests.read_line()).records
    status = {"action": "status", "responseFor": "processRecords"}
    next(records)

    with pytest.raises(RuntimeError, match="must be read to its end"):
        requests.write_action(status)
    assert 1 == len([*records])
    requests.write_action(status)

    assert status == json.loads(requests.output_file.getvalue())


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
    ],
)
def test_each_message_is_an_object_of_amazon_kclpy(
    made: Callable[..., Requests], line: bytes, kind: type[object]
) -> None:
    """All that the daemon sends, besides batches; none waits for a next message, which comes only after its answer."""
    requests = made(line + b"\n", b"next")
    assert kind is type(requests.load_action(requests.read_line()))
    assert [b"next"] == requests.input_file.pieces


@pytest.mark.parametrize("line", [b"", b"\n", b"no JSON\n", b"{}\n", b'{"action": "processRecords","records":[{}]}\n'])
def test_what_is_no_message_raises(made: Callable[..., Requests], line: bytes) -> None:
    """So that the processor ends; a line that is cut off comes from a daemon that was killed."""
    requests = made(line)
    with pytest.raises(msgspec.DecodeError):
        requests.load_action(requests.read_line())


SOUND = batch(b"one", b"two")
NEXT = b'{"action":"leaseLost"}\n'
"""No daemon sends it before the batch is answered; if it did, it would be no part of the batch."""
DAMAGED: dict[str, tuple[bytes, int]] = {
    "cut off in its first record": (SOUND[:60], 0),
    "ends in its first record": (SOUND[:60] + b"\n", 0),
    "ends in a text with a brace": (batch(b"one", keys=["}"])[:80] + b"}\n", 0),
    "ends in a text of its last record": (SOUND.replace(b'"}]', b"}]"), 1),
    "cut off after its first record": (SOUND[: SOUND.index(b",{")], 1),
    "cut off before its second record": (SOUND[: SOUND.index(b",{") + 1], 1),
    "cut off in its last record": (SOUND[:-40], 1),
    "cut off after its last record": (SOUND[: SOUND.index(b"]")], 2),
    "cut off at its end": (SOUND[:-3], 2),
    "ends early": (SOUND[:-3] + b"\n", 2),
    "no comma between records": (SOUND.replace(b",{", b"{"), 1),
    "something else between records": (SOUND.replace(b",{", b"-{"), 1),
    "something else as a record": (SOUND.replace(b",{", b",1,{"), 1),
    "a comma after the last record": (SOUND.replace(b"]", b",]"), 2),
    "something else after the records": (SOUND.replace(b"]", b"]x"), 2),
    "a record without data": (SOUND.replace(b'"data":"dHdv",', b""), 1),
    "a number that is a text": (SOUND.replace(b"1700000000002", b'"1700000000002"'), 1),
    "a lag that is a text": (SOUND.replace(b"12}", b'"12"}'), 2),
    "bytes that are no text": (SOUND.replace("é".encode(), b"\xe9"), 0),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_batch_raises_after_the_records_before_the_damage(made: Callable[..., Requests], damage: str) -> None:
    """It raises at the end of the line at the latest: nothing else would come."""
    line, sound = DAMAGED[damage]
    rest = [NEXT] if line.endswith(b"\n") else []
    requests = made(line, *rest)
    found: list[messages.Record] = []

    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        found.extend(requests.load_action(requests.read_line()).records)

    assert sound == len(found)
    assert rest == requests.input_file.pieces
