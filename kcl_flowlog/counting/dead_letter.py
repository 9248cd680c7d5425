"""A payload or line that could not be used, kept with its reason and its origin.

The start of a payload tells what it is; a whole line can be replayed.
"""

from __future__ import annotations

import base64

import msgspec

from kcl_flowlog.counting.log_stream import MAX_NAME_LENGTH, NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.positions import PayloadOrigin
from kcl_flowlog.counting.unpacking import LARGEST_RECORD, MAX_KEPT
from kcl_flowlog.escaping import escape_unprintable

PAYLOAD = "payload"
LINE = "line"
EVENT = "event"


class DeadLetter(msgspec.Struct, frozen=True):
    """A payload or line that could not be used, and where it came from.

    `kind` is `payload`, `line` or `event`. `body` is the start of the payload
    in base64, of the line, or of the JSON of a log event without a message;
    `truncated` tells whether there was more.
    """

    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    reason: str
    kind: str
    body: str
    owner: str = ""
    log_group: str = ""
    log_stream: str = ""
    truncated: bool = False


def to_line(letter: DeadLetter) -> bytes:
    """Return a dead letter as a line of JSON; people look at the file on terminals."""
    return escape_unprintable(msgspec.json.encode(letter).decode()).encode() + b"\n"


def from_payload(payload: bytes, reason: str, origin: PayloadOrigin, is_whole: bool = False) -> DeadLetter:
    """Return the dead letter of a payload; `is_whole` keeps all of it."""
    size = LARGEST_RECORD if is_whole else MAX_KEPT
    body = base64.b64encode(payload[:size]).decode()
    return _dead_letter(PAYLOAD, body, len(payload) > size, reason, origin, NO_LOG_STREAM)


def from_text(text: str, kind: str, reason: str, origin: PayloadOrigin, log_stream: LogStream) -> DeadLetter:
    """Return the dead letter of a `LINE` or `EVENT` of a log stream."""
    return _dead_letter(kind, text[:MAX_KEPT], len(text) > MAX_KEPT, reason, origin, log_stream)


def from_raw_event(event: bytes, reason: str, origin: PayloadOrigin, log_stream: LogStream) -> DeadLetter:
    """Return the dead letter of an `EVENT` that is JSON of any kind and size."""
    # A character has at most four bytes; the rest of a long event is not worth its decoding.
    text = bytes(memoryview(event)[: 4 * MAX_KEPT + 4]).decode(errors="replace")
    return from_text(text, EVENT, reason, origin, log_stream)


def _dead_letter(
    kind: str, body: str, is_truncated: bool, reason: str, origin: PayloadOrigin, log_stream: LogStream
) -> DeadLetter:
    return DeadLetter(
        shard_id=origin.shard_id,
        sequence_number=origin.position.sequence,
        sub_sequence_number=origin.position.sub_sequence,
        reason=reason,
        kind=kind,
        body=body,
        owner=log_stream.owner[:MAX_NAME_LENGTH],
        log_group=log_stream.log_group[:MAX_NAME_LENGTH],
        log_stream=log_stream.name[:MAX_NAME_LENGTH],
        truncated=is_truncated,
    )
