"""Packing flow records into envelopes, and putting them on the stream."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

from kcl_flowlog.demo.envelopes import Envelope, control_message, event_ids, pack, put
from kcl_flowlog.demo.records import Record
from kcl_flowlog.demo.tally import Tally, add_up
from kcl_flowlog.demo.traffic import Traffic
from tests.support.demo_fakes import WORLD

NOW = 1_800_000_000


def some_envelopes(events: int = 500, wanted: int = 300) -> tuple[list[Record], list[Envelope]]:
    records = Traffic(WORLD, random.Random(5)).step(NOW, 1, wanted)
    return records, pack(records, WORLD, event_ids(), events)


def message_of(envelope: Envelope) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(gzip.decompress(envelope.data))
    return message


class FakeStream:
    """Stores the first `accepts` records of each request, and later all of them."""

    def __init__(self, *accepts: int) -> None:
        self._accepts = list(accepts)
        self.requests: list[int] = []
        self.stored: list[dict[str, Any]] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's names
        accepted = min(self._accepts.pop(0), len(Records)) if self._accepts else len(Records)
        self.requests.append(len(Records))
        self.stored += Records[:accepted]
        failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
        return {"Records": [{"SequenceNumber": "1"}] * accepted + [failed] * (len(Records) - accepted)}


def test_an_envelope_is_what_cloudwatch_logs_writes() -> None:
    """A data message names its log stream, and its events carry the lines with the time of their start."""
    records, envelopes = some_envelopes()
    lines = [record.line for record in records]
    for envelope in envelopes:
        message = message_of(envelope)
        assert {
            "messageType": "DATA_MESSAGE",
            "owner": "123456789012",
            "logGroup": "/vpc/flow-logs",
            "logStream": envelope.log_stream,
            "subscriptionFilters": ["flow-logs"],
        } == {name: value for name, value in message.items() if name != "logEvents"}
        for event in message["logEvents"]:
            fields = event["message"].split()
            assert f"{fields[2]}-all" == envelope.log_stream
            assert int(fields[10]) * 1000 == event["timestamp"]
            assert 56 == len(event["id"])
    packed = [event["message"] for envelope in envelopes for event in message_of(envelope)["logEvents"]]
    assert sorted(lines) == sorted(packed)


def test_log_events_have_unique_ids() -> None:
    """No two log events share an id."""
    _, envelopes = some_envelopes()
    ids = [event["id"] for envelope in envelopes for event in message_of(envelope)["logEvents"]]
    assert len(ids) == len(set(ids))


def test_an_envelope_has_a_maximum_of_events() -> None:
    """A long log stream is split over several envelopes."""
    records, envelopes = some_envelopes(events=10)
    sizes = [len(message_of(envelope)["logEvents"]) for envelope in envelopes]
    assert 10 == max(sizes)
    assert len(records) == sum(sizes)


def test_envelopes_count_as_their_records() -> None:
    """Packing loses no figure and adds a payload per envelope."""
    records, envelopes = some_envelopes(events=10)
    expected = Tally()
    for record in records:
        record.count_into(expected)
    expected.payloads["data"] = len(envelopes)
    assert expected == add_up(envelope.tally for envelope in envelopes)


def test_a_control_message_counts_as_a_payload_without_events() -> None:
    """The message that checks the stream has no flow log line."""
    envelope = control_message(NOW)
    assert "CONTROL_MESSAGE" == message_of(envelope)["messageType"]
    assert Tally(payloads=envelope.tally.payloads) == envelope.tally
    assert {"control": 1} == envelope.tally.payloads


def test_rejected_records_are_put_again() -> None:
    """Records that Kinesis rejects are put again, with growing pauses, and no other records."""
    _, envelopes = some_envelopes()
    stream = FakeStream(2, 1)
    pauses: list[float] = []
    accepted = put(stream, "flow-logs", envelopes, sleep=pauses.append)
    number = len(envelopes)
    assert [number, number - 2, number - 3] == stream.requests
    assert [0.1, 0.2] == pauses
    assert add_up(envelope.tally for envelope in envelopes) == add_up(envelope.tally for envelope in accepted)
    assert sorted(envelope.data for envelope in envelopes) == sorted(record["Data"] for record in stream.stored)


def test_records_that_stay_rejected_are_not_returned() -> None:
    """After the last attempt, only the stored envelopes are returned."""
    _, envelopes = some_envelopes()
    accepted = put(FakeStream(1, 0, 0), "flow-logs", envelopes, attempts=3, sleep=lambda seconds: None)
    assert envelopes[:1] == accepted


def test_a_request_has_at_most_500_records() -> None:
    """More envelopes go into several requests; the log stream is the partition key."""
    _, envelopes = some_envelopes(events=1, wanted=1100)
    stream = FakeStream()
    put(stream, "flow-logs", envelopes)
    assert [500, 500, len(envelopes) - 1000] == stream.requests
    assert [envelope.log_stream for envelope in envelopes] == [record["PartitionKey"] for record in stream.stored]
