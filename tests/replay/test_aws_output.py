"""What the AWS command line prints, and what Lambda gets."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from kcl_flowlog.replay.aws_output import holds_aws_output
from tests.support.builders import GOOD, NODATA, envelope, line
from tests.support.replay import findings, imbalances_in, nonzero, replay

PAYLOAD = envelope(GOOD, "bad")
DATA = base64.b64encode(PAYLOAD).decode()


def log_event(message: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": 1700000000000, "message": message, "ingestionTime": 1700000300000, **more}


def filtered(*messages: str) -> dict[str, Any]:
    """Return the answer of FilterLogEvents."""
    events = [log_event(message, logStreamName="eni-a-all", eventId=str(n)) for n, message in enumerate(messages)]
    searched = [{"logStreamName": "eni-a-all", "searchedCompletely": True}]
    return {"events": events, "searchedLogStreams": searched, "nextToken": 'a"[{'}


def records(*data: str) -> dict[str, Any]:
    """Return the answer of GetRecords."""
    return {
        "Records": [{"SequenceNumber": "1", "Data": each, "PartitionKey": "k"} for each in data],
        "NextShardIterator": "AAA",
        "MillisBehindLatest": 0,
        "ChildShards": [{"ShardId": "shardId-1", "ParentShards": [], "HashKeyRange": {}}],
    }


KINESIS_EVENT = {"Records": [{"kinesis": {"data": DATA, "sequenceNumber": "1"}, "eventSource": "aws:kinesis"}]}
FIREHOSE_EVENT = {"invocationId": "i", "deliveryStreamArn": "a", "records": [{"recordId": "1", "data": DATA}]}
TAIL = "2023-11-14T22:13:20.000000+00:00 eni-a-all"


def pretty(document: Any) -> bytes:
    return json.dumps(document, indent=4).encode() + b"\n"


# A file, its log events by outcome, and its payloads by outcome.
FILES: dict[str, tuple[bytes, dict[str, int], dict[str, int]]] = {
    "filter-log-events": (pretty(filtered(GOOD, NODATA, "bad")), {"counted": 1, "nodata": 1, "malformed": 1}, {}),
    "two pages of filter-log-events": (
        pretty(filtered(GOOD)) + pretty(filtered(NODATA)),
        {"counted": 1, "nodata": 1},
        {},
    ),
    "filter-log-events, compressed": (gzip.compress(pretty(filtered(GOOD))), {"counted": 1}, {}),
    "more events than are held at once": (pretty(filtered(*["bad"] * 10_001)), {"malformed": 10_001}, {}),
    "no events": (pretty(filtered()), {}, {}),
    "get-log-events": (pretty({"events": [log_event(GOOD)], "nextForwardToken": "f/1"}), {"counted": 1}, {}),
    "get-records": (
        pretty(records(DATA, DATA)),
        {"counted": 1, "malformed": 1, "duplicate": 2},
        {"data": 1, "duplicate": 1},
    ),
    "get-records with other data": (pretty(records("%%%", "aGVsbG8=")), {}, {"malformed": 2}),
    "get-records without records": (pretty(records()), {}, {}),
    "a Lambda event of CloudWatch Logs": (
        pretty({"awslogs": {"data": DATA}}),
        {"counted": 1, "malformed": 1},
        {"data": 1},
    ),
    "Lambda events of CloudWatch Logs, a line each": (
        (json.dumps({"awslogs": {"data": DATA}}) + "\n").encode() * 2,
        {"counted": 1, "malformed": 1, "duplicate": 2},
        {"data": 1, "duplicate": 1},
    ),
    "a Lambda event of Kinesis": (pretty(KINESIS_EVENT), {"counted": 1, "malformed": 1}, {"data": 1}),
    "a Lambda event of Firehose": (pretty(FIREHOSE_EVENT), {"counted": 1, "malformed": 1}, {"data": 1}),
    "CloudTrail": (pretty({"Records": [{"eventVersion": "1.08", "awsRegion": "eu-west-1"}]}), {"malformed": 1}, {}),
    "a page that is cut off": (pretty(filtered(GOOD, NODATA))[:-300], {"counted": 1}, {"malformed": 1}),
    "tail": (f"{TAIL} {GOOD}\n{TAIL} bad\n".encode(), {"counted": 1, "malformed": 1}, {}),
    "tail, short": (f"2023-11-14T22:13:20 {GOOD}\n".encode(), {"counted": 1}, {}),
    "tail in colour": (
        f"\x1b[32m2023-11-14T22:13:20.000000+00:00\x1b[0m \x1b[36meni-a-all\x1b[0m {GOOD}\n".encode(),
        {"counted": 1},
        {},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_the_output_of_aws_is_counted(name: str) -> None:
    """And the counts add up."""
    content, events, payloads = FILES[name]

    report = replay(content)

    assert (events, payloads) == (nonzero(report.outcomes), nonzero(report.payloads))
    assert [] == imbalances_in(report)


def test_an_event_has_the_line_that_it_begins_in() -> None:
    """In indented JSON a log event takes several lines."""
    document = pretty(filtered(GOOD, "bad"))
    (found,) = findings(document)

    assert document.decode().splitlines().index('            "message": "bad",') - 1 == found.line


@pytest.mark.parametrize(
    "text", [pretty(filtered("- 10.0.1.10 8.8.8.8 9")), f"{TAIL} - 10.0.1.10 8.8.8.8 9\n".encode()]
)
def test_the_name_of_a_log_stream_tells_the_interface(text: bytes) -> None:
    """For formats that leave it out."""
    form = "${interface-id} ${srcaddr} ${dstaddr} ${bytes}"

    assert {"counted": 1} == nonzero(replay(text, formats=(form,)).outcomes)


def test_a_line_that_begins_with_an_interface_keeps_it() -> None:
    """The name of a log stream has a further hyphen."""
    text = b"2023-11-14T22:13:20Z eni-a 10.0.1.10 8.8.8.8 9\n"

    report = replay(text, formats=("${interface-id} ${srcaddr} ${dstaddr} ${bytes}",))

    assert {"counted": 1} == nonzero(report.outcomes)


def test_a_compressed_page_that_is_cut_off_gives_whole_events() -> None:
    """The rest is one damaged payload."""
    page = pretty(filtered(*[line("10.0.1.10", f"198.51.100.{number}") for number in range(200)]))

    report = replay(gzip.compress(page)[:-300])

    assert 100 < nonzero(report.outcomes).pop("counted") < 200
    assert ({"malformed": 1}, {"payload_damaged": 1}) == (nonzero(report.payloads), report.malformed)


@pytest.mark.parametrize(
    ("head", "is_recognised"),
    [
        (b'{"events": [', True),
        (b' {\n"Records" : [', True),
        (b'{"awslogs":{"data":"', True),
        (b'{"messageType":"DATA_MESSAGE"', False),
        (b'{"version":2', False),
        (b'"events": [', False),
        (b"", False),
    ],
)
def test_a_document_is_recognised_by_its_first_key(head: bytes, is_recognised: bool) -> None:
    """The beginning of a file is enough."""
    assert is_recognised == holds_aws_output(head)
