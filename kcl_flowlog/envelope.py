"""A Kinesis payload, opened: gzip, then CloudWatch Logs' JSON envelope.

Opening knows nothing of what the log events say. It never takes more memory
than the limit it is given, whatever the payload, and raises `Malformed` with
a `payload_…` reason for one that can't be opened.

Source of the form: "Log group-level subscription filters", CloudWatch Logs
User Guide.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from isal import isal_zlib

from kcl_flowlog.errors import Malformed

_GZIP = 16 + isal_zlib.MAX_WBITS
# CloudWatch Logs sends one. Each further member copies the rest of the payload, so a crafted one must not have many.
_MOST_MEMBERS = 64

DATA_MESSAGE = "DATA_MESSAGE"
CONTROL_MESSAGE = "CONTROL_MESSAGE"


class Envelope(NamedTuple):
    """The log events of one log stream. An event without a text message is `None`."""

    message_type: str
    log_stream: str
    messages: list[str | None]


class _Event(msgspec.Struct):
    message: str


class _Typed(msgspec.Struct):
    messageType: str  # noqa: N815 - CloudWatch Logs' own spelling, here and below
    logStream: str = ""  # noqa: N815
    logEvents: list[_Event] = []  # noqa: N815


class _Lenient(msgspec.Struct):
    messageType: str  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[msgspec.Raw] = []  # noqa: N815


_decode_typed = msgspec.json.Decoder(_Typed).decode
_decode_lenient = msgspec.json.Decoder(_Lenient).decode
_decode_event = msgspec.json.Decoder(_Event).decode


def open_payload(payload: bytes, limit: int) -> Envelope:
    """Return the envelope in `payload`, which may inflate to at most `limit` bytes."""
    text = inflate(payload, limit)
    try:
        envelope = _read(text)
    except msgspec.ValidationError:
        raise Malformed("payload_not_envelope") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("payload_not_json") from None
    if envelope.message_type not in (DATA_MESSAGE, CONTROL_MESSAGE):
        raise Malformed("payload_message_type")
    return envelope


def inflate(payload: bytes, limit: int) -> bytes:
    """Return the data of all gzip members of `payload`."""
    parts = []
    room = limit
    for _ in range(_MOST_MEMBERS):
        inflater = isal_zlib.decompressobj(_GZIP)
        try:
            part = inflater.decompress(payload, room + 1)
        except isal_zlib.IsalError:  # type: ignore[misc] # its stub calls the class a value
            raise Malformed("payload_not_gzip") from None
        if len(part) > room:
            raise Malformed("payload_too_large")
        if not inflater.eof:
            raise Malformed("payload_not_gzip")
        parts.append(part)
        room -= len(part)
        payload = inflater.unused_data
        if not payload:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise Malformed("payload_too_large")


def _read(text: bytes) -> Envelope:
    try:
        typed = _decode_typed(text)
    except msgspec.ValidationError:
        return _read_event_by_event(text)
    return Envelope(typed.messageType, typed.logStream, [event.message for event in typed.logEvents])


def _read_event_by_event(text: bytes) -> Envelope:
    """Read an envelope in which some event is odd, without losing those beside it."""
    lenient = _decode_lenient(text)
    messages: list[str | None] = []
    for raw in lenient.logEvents:
        try:
            messages.append(_decode_event(raw).message)
        except msgspec.ValidationError:
            messages.append(None)
    return Envelope(lenient.messageType, lenient.logStream, messages)
