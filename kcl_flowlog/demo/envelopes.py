"""Pack flow records into CloudWatch Logs envelopes, and put them on the Kinesis stream.

An envelope holds log events of one log stream, and so of one interface, as a
subscription filter writes it. `put` returns the envelopes that Kinesis accepted
and raises what boto3 raises.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from kcl_flowlog.demo.records import Record
from kcl_flowlog.demo.tally import Tally
from kcl_flowlog.demo.world import World

_REQUEST_RECORDS = 500
_REQUEST_BYTES = 4 * 1024 * 1024  # Kinesis takes 5 MiB with the partition keys


@dataclass(frozen=True)
class Envelope:
    """A payload for the stream, and what it must count as."""

    log_stream: str
    data: bytes = field(repr=False)
    tally: Tally = field(repr=False)


def event_ids() -> Iterator[str]:
    """Yield ids of log events: consecutive decimal numbers of 56 digits."""
    return (str(number) for number in count(32 * 10**54))


def pack(records: Sequence[Record], world: World, ids: Iterator[str], events: int = 500) -> list[Envelope]:
    """Return `records` in envelopes of at most `events` log events, ordered by the first record of each interface."""
    by_interface: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_interface[record.interface.id].append(record)
    return [
        _data_message(of_interface[first : first + events], world, ids)
        for of_interface in by_interface.values()
        for first in range(0, len(of_interface), events)
    ]


def _data_message(records: Sequence[Record], world: World, ids: Iterator[str]) -> Envelope:
    interface = records[0].interface
    log_stream = f"{interface.id}-all"
    tally = Tally()
    tally.payloads["data"] += 1
    for record in records:
        record.count_into(tally)
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": world.account_id,
        "logGroup": interface.subnet.log_group,
        "logStream": log_stream,
        "subscriptionFilters": [world.stream],
        "logEvents": [
            {"id": next(ids), "timestamp": record.start * 1000, "message": record.line} for record in records
        ],
    }
    return Envelope(log_stream, _compressed(message), tally)


def control_message(now: int) -> Envelope:
    """Return the message with which CloudWatch Logs checks the stream at `now` (Unix seconds)."""
    tally = Tally()
    tally.payloads["control"] += 1
    text = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    message = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": now * 1000, "message": text}],
    }
    return Envelope("control", _compressed(message), tally)


def _compressed(message: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps(message, separators=(",", ":")).encode(), compresslevel=6, mtime=0)


def put(
    client: Any,
    stream: str,
    envelopes: Sequence[Envelope],
    attempts: int = 6,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Envelope]:
    """Put `envelopes` on `stream` and return those that Kinesis accepted.

    Tries rejected envelopes up to `attempts` times in all, with pauses that
    double from 0.1 s.
    """
    accepted: list[Envelope] = []
    for batch in _batches(envelopes):
        pending = batch
        for attempt in range(attempts):
            if attempt:
                sleep(0.1 * 2 ** (attempt - 1))
            is_stored = _put_once(client, stream, pending)
            accepted += [envelope for envelope, stored in zip(pending, is_stored, strict=True) if stored]
            pending = [envelope for envelope, stored in zip(pending, is_stored, strict=True) if not stored]
            if not pending:
                break
    return accepted


def _put_once(client: Any, stream: str, envelopes: Sequence[Envelope]) -> list[bool]:
    """Put `envelopes` in one request; return for each whether Kinesis stored it."""
    answer = client.put_records(
        StreamName=stream,
        Records=[{"Data": envelope.data, "PartitionKey": envelope.log_stream} for envelope in envelopes],
    )
    return ["ErrorCode" not in record for record in answer["Records"]]


def _batches(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Yield `envelopes` in batches, each small enough for one request."""
    batch: list[Envelope] = []
    size = 0
    for envelope in envelopes:
        if batch and (len(batch) == _REQUEST_RECORDS or size + len(envelope.data) > _REQUEST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(envelope)
        size += len(envelope.data)
    if batch:
        yield batch
