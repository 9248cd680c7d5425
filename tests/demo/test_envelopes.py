"""Envelopes, and putting them on the stream."""

import gzip
import json
import random

from kcl_flowlog.demo.envelopes import control_message, event_ids, pack, put
from kcl_flowlog.demo.traffic import Traffic
from kcl_flowlog.demo.truth import Truth, total
from tests.support.demo_fakes import WORLD

NOW = 1_800_000_000


def some_envelopes(events=500, wanted=300):
    records = Traffic(WORLD, random.Random(5)).step(NOW, 1, wanted)
    return records, pack(records, WORLD, event_ids(), events)


def opened(envelope):
    return json.loads(gzip.decompress(envelope.data))


class Stream:
    """Accepts what `takes` allows, request by request, and then everything."""

    def __init__(self, *takes):
        self.takes = list(takes)
        self.requests = []
        self.stored = []

    def put_records(self, StreamName, Records):  # noqa: N803 - boto3's names
        take = self.takes.pop(0) if self.takes else len(Records)
        self.requests.append(len(Records))
        self.stored += Records[:take]
        failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"}
        return {"Records": [{"SequenceNumber": "1"}] * min(take, len(Records)) + [failed] * (len(Records) - take)}


def test_an_envelope_is_what_cloudwatch_logs_writes():
    """A data message names its log stream, and its events carry the lines with the time of their start."""
    records, envelopes = some_envelopes()
    lines = [record.line for record in records]
    for envelope in envelopes:
        message = opened(envelope)
        assert {
            "messageType": "DATA_MESSAGE",
            "owner": "123456789012",
            "logGroup": "/vpc/flow-logs",
            "logStream": envelope.log_stream,
            "subscriptionFilters": ["flow-logs"],
        } == {name: value for name, value in message.items() if name != "logEvents"}
        for event in message["logEvents"]:
            fields = event["message"].split()
            assert envelope.log_stream == f"{fields[2]}-all"
            assert int(fields[10]) * 1000 == event["timestamp"]
            assert len(event["id"]) == 56
    packed = [event["message"] for envelope in envelopes for event in opened(envelope)["logEvents"]]
    assert sorted(lines) == sorted(packed)


def test_every_event_has_an_id_of_its_own():
    """No two log events share an id."""
    _, envelopes = some_envelopes()
    ids = [event["id"] for envelope in envelopes for event in opened(envelope)["logEvents"]]
    assert len(ids) == len(set(ids))


def test_an_envelope_holds_so_many_events_at_most():
    """A long log stream is split over several envelopes."""
    records, envelopes = some_envelopes(events=10)
    sizes = [len(opened(envelope)["logEvents"]) for envelope in envelopes]
    assert max(sizes) == 10
    assert len(records) == sum(sizes)


def test_the_truth_of_envelopes_is_that_of_their_records():
    """Packing loses no figure and counts one payload an envelope."""
    records, envelopes = some_envelopes(events=10)
    expected = Truth()
    for record in records:
        record.count_into(expected)
    expected.payloads["data"] = len(envelopes)
    assert expected == total(envelope.truth for envelope in envelopes)


def test_a_control_message_counts_as_a_payload_without_events():
    """The message that tries the stream holds no flow log line."""
    envelope = control_message(NOW)
    assert opened(envelope)["messageType"] == "CONTROL_MESSAGE"
    assert Truth(payloads=envelope.truth.payloads) == envelope.truth
    assert envelope.truth.payloads == {"control": 1}


def test_what_is_turned_down_is_put_again():
    """Records that Kinesis turns down are put again, and only those."""
    _, envelopes = some_envelopes()
    stream = Stream(2, 1)
    pauses = []
    accepted = put(stream, "flow-logs", envelopes, sleep=pauses.append)
    number = len(envelopes)
    assert [number, number - 2, number - 3] == stream.requests
    assert pauses == [0.1, 0.2]
    assert total(envelope.truth for envelope in envelopes) == total(envelope.truth for envelope in accepted)
    assert sorted(envelope.data for envelope in envelopes) == sorted(record["Data"] for record in stream.stored)


def test_what_is_never_accepted_is_not_returned():
    """After the last attempt only what was stored is returned."""
    _, envelopes = some_envelopes()
    accepted = put(Stream(1, 0, 0), "flow-logs", envelopes, attempts=3, sleep=lambda seconds: None)
    assert envelopes[:1] == accepted


def test_a_request_holds_500_records_at_most():
    """More envelopes than a request may hold are put in several, each under its log stream's key."""
    _, envelopes = some_envelopes(events=1, wanted=1100)
    stream = Stream()
    put(stream, "flow-logs", envelopes)
    assert [500, 500, len(envelopes) - 1000] == stream.requests
    assert [envelope.log_stream for envelope in envelopes] == [record["PartitionKey"] for record in stream.stored]
