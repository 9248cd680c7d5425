"""JSON as AWS prints or passes it around log events and Kinesis records.

The output of `aws logs filter-log-events`, `aws logs get-log-events` and `aws
kinesis get-records`, any number of pages; and the events that Lambda gets from
CloudWatch Logs, Kinesis or Firehose. Reads an element at a time.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import msgspec

from kcl_flowlog.counting.envelope import UNDECODABLE
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.replay.content import Content
from kcl_flowlog.replay.items import Batch, Item, Payload, Unreadable, event
from kcl_flowlog.replay.json_objects import split_elements

# The first keys of these documents; of CloudTrail's files, too, whose records are not flow logs.
_FIRST_KEY = re.compile(
    rb'\s*\{\s*"(?:events|searchedLogStreams|nextToken|next(?:Forward|Backward)Token|Records|records|awslogs'
    rb'|NextShardIterator|MillisBehindLatest|ChildShards|invocationId|deliveryStreamArn)"\s*:'
)


class _Data(msgspec.Struct):
    data: str


class _Element(msgspec.Struct):
    """A log event, a Kinesis record, or what Lambda gets of either."""

    message: str | None = None
    logStreamName: str = ""  # noqa: N815 - AWS's spelling
    Data: str | None = None
    data: str | None = None
    kinesis: _Data | None = None
    # What stands beside them.
    searchedCompletely: object = None  # noqa: N815
    ShardId: object = None

    @property
    def payload(self) -> str | None:
        """The payload of a Kinesis record in base64, None for anything else."""
        return self.kinesis.data if self.kinesis else self.Data or self.data


def holds_aws_output(head: bytes) -> bool:
    """Say whether the content is a document that AWS prints or passes."""
    return _FIRST_KEY.match(head) is not None


def read_aws_output(content: Content) -> Iterator[Item]:
    """Yield the payloads and the log events."""
    batch = Batch()
    for line, text in split_elements(content.text):
        element = _decode(text)
        if element is None:
            if not content.is_damaged:
                yield Unreadable("payload", "payload_not_json", line)
        elif element.payload is not None:
            yield _payload(element.payload, line)
        elif element.searchedCompletely is None and element.ShardId is None:
            message = text.decode(errors="replace") if element.message is None else element.message
            log_stream = NO_LOG_STREAM._replace(name=element.logStreamName)
            batch.add(log_stream, event(message, line))
        if batch.is_full:
            yield from batch.take()
    yield from batch.take()


def _decode(text: bytes) -> _Element | None:
    try:
        return msgspec.json.decode(text, type=_Element)
    except msgspec.ValidationError:
        return _Element()
    except UNDECODABLE:
        return None


def _payload(data: str, line: int) -> Item:
    try:
        return Payload(base64.b64decode(data, validate=True), line)
    except binascii.Error:
        return Unreadable("payload", "payload_encoding", line)
