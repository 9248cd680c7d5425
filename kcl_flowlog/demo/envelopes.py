"""From flow records to the stream: CloudWatch Logs' envelopes, and putting them.

One envelope holds log events of one log stream, so of one interface, as a
subscription filter writes it. `put` returns what Kinesis accepted; it raises
only what boto3 raises.
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

from kcl_flowlog.demo.traffic import Record
from kcl_flowlog.demo.truth import Truth
from kcl_flowlog.demo.world import World

_REQUEST_RECORDS = 500
_REQUEST_BYTES = 4 * 1024 * 1024  # Kinesis takes 5 MiB with the partition keys


@dataclass(frozen=True)
class Envelope:
    """One payload for the stream, and what it must count as."""

    log_stream: str
    data: bytes = field(repr=False)
    truth: Truth = field(repr=False)


def event_ids() -> Iterator[str]:
    """Return the ids of log events: decimal numbers of 56 digits, one after the other."""
    return (str(number) for number in count(32 * 10**54))


def pack(records: Sequence[Record], world: World, ids: Iterator[str], events: int = 500) -> list[Envelope]:
    """Return `records` in envelopes of at most so many `events`, in the order of their interfaces' first record."""
    of_interface: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        of_interface[record.interface.id].append(record)
    return [
        _data_message(written[first : first + events], world, ids)
        for written in of_interface.values()
        for first in range(0, len(written), events)
    ]


def _data_message(records: Sequence[Record], world: World, ids: Iterator[str]) -> Envelope:
    interface = records[0].interface
    log_stream = f"{interface.id}-all"
    truth = Truth()
    truth.payloads["data"] += 1
    for record in records:
        record.count_into(truth)
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
    return Envelope(log_stream, _squeezed(message), truth)


def control_message(now: int) -> Envelope:
    """Return the message with which CloudWatch Logs tries the stream at `now` (Unix seconds)."""
    truth = Truth()
    truth.payloads["control"] += 1
    text = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    message = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": now * 1000, "message": text}],
    }
    return Envelope("control", _squeezed(message), truth)


def _squeezed(message: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps(message, separators=(",", ":")).encode(), compresslevel=6, mtime=0)


def put(
    client: Any,
    stream: str,
    envelopes: Sequence[Envelope],
    attempts: int = 6,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Envelope]:
    """Put `envelopes` on `stream` and return those that were accepted.

    What Kinesis turns down is tried again, up to so many `attempts` in all,
    with pauses that double from 0.1 s.
    """
    accepted: list[Envelope] = []
    for batch in _requests(envelopes):
        left = batch
        for attempt in range(attempts):
            if attempt:
                sleep(0.1 * 2 ** (attempt - 1))
            fate = _put_once(client, stream, left)
            accepted += [envelope for envelope, stored in zip(left, fate, strict=True) if stored]
            left = [envelope for envelope, stored in zip(left, fate, strict=True) if not stored]
            if not left:
                break
    return accepted


def _put_once(client: Any, stream: str, envelopes: Sequence[Envelope]) -> list[bool]:
    """Put a request's worth of envelopes and tell of each whether it was stored."""
    answer = client.put_records(
        StreamName=stream,
        Records=[{"Data": envelope.data, "PartitionKey": envelope.log_stream} for envelope in envelopes],
    )
    return ["ErrorCode" not in record for record in answer["Records"]]


def _requests(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Yield `envelopes` in batches that one request may hold."""
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
