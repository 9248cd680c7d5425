"""The envelopes in a payload: CloudWatch Logs' JSON around log events.

CloudWatch Logs sends one envelope in a payload. Several envelopes in sequence
are read as well, as some forwarders join them. Knows nothing of what the log
events say. Data that can't be read is `Malformed` with a `payload_…` reason;
the envelopes before it are not lost.

Source: "Log group-level subscription filters", CloudWatch Logs User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.unpacking import JSON_SPACE, UnreadablePart, unpack
from kcl_flowlog.errors import Malformed

DATA_MESSAGE = "DATA_MESSAGE"
CONTROL_MESSAGE = "CONTROL_MESSAGE"

MAX_ENVELOPES = 1024
"""Most envelopes that are read from a payload; forwarders join a few dozen."""

# CloudWatch Logs has names of 512 characters at most; names are kept in memory, so they are bounded.
_MAX_NAME_LENGTH = 1024

# The brackets of JSON; and its strings as a whole, so that a bracket in a string does not count. A string without
# an end reaches to the end of the text.
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)|[{}\[\]]', re.DOTALL)


class LogEvent(msgspec.Struct):
    """An event as CloudWatch Logs sends it; an id is unique among all log events."""

    message: str
    id: str = ""


class Envelope(NamedTuple):
    """The log events of one log stream. An event without a text message is its raw JSON."""

    message_type: str
    log_stream: LogStream
    events: list[LogEvent | msgspec.Raw]


class OpenedPayload(NamedTuple):
    """What a payload holds: at least one envelope. `form` is a form of `unpacking.Unpacked`."""

    form: str
    envelopes: list[Envelope]
    unreadable: list[UnreadablePart]


class _StrictEnvelope(msgspec.Struct):
    messageType: str  # noqa: N815 - CloudWatch Logs' spelling, here and below
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[LogEvent] = []  # noqa: N815


class _LenientEnvelope(msgspec.Struct):
    messageType: str  # noqa: N815
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[msgspec.Raw] = []  # noqa: N815


_decode_strict = msgspec.json.Decoder(_StrictEnvelope).decode
_decode_lenient = msgspec.json.Decoder(_LenientEnvelope).decode
decode_event = msgspec.json.Decoder(LogEvent).decode


def open_payload(payload: bytes, limit: int) -> OpenedPayload:
    """Return what is in a payload, whose text may have at most `limit` bytes.

    Raises `Malformed` if no envelope can be read.
    """
    form, text, unreadable = unpack(payload, limit)
    try:
        return OpenedPayload(form, [_read(text)], unreadable)
    except Malformed as bad:
        # One envelope is the rule; a search for several is worth its time only if that fails.
        envelopes, parts = _read_several(text)
        unreadable = parts + unreadable
        if not envelopes:
            raise Malformed(unreadable[0].reason if unreadable else bad.reason) from None
        return OpenedPayload(form, envelopes, unreadable)


def ends_of_objects(text: bytes) -> Iterator[int]:
    """Yield the end of each JSON object in a text, as far as its brackets tell."""
    depth = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in b"{[":
            depth += 1
        elif bracket in b"}]":
            depth -= 1
            if depth == 0:
                yield match.end()
            elif depth < 0:
                return


def _read(text: bytes) -> Envelope:
    """Return the envelope of a JSON text. Raises `Malformed`."""
    try:
        envelope = _decode(text)
    except msgspec.ValidationError:
        raise Malformed("payload_not_envelope") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("payload_not_json") from None
    if envelope.message_type not in (DATA_MESSAGE, CONTROL_MESSAGE):
        raise Malformed("payload_message_type")
    if max(map(len, envelope.log_stream)) > _MAX_NAME_LENGTH:
        raise Malformed("payload_not_envelope")
    return envelope


def _decode(text: bytes) -> Envelope:
    try:
        strict = _decode_strict(text)
    except msgspec.ValidationError:
        return _decode_event_by_event(text)
    log_stream = LogStream(strict.owner, strict.logGroup, strict.logStream)
    return Envelope(strict.messageType, log_stream, strict.logEvents)  # type: ignore[arg-type] # a list of both


def _decode_event_by_event(text: bytes) -> Envelope:
    """Read an envelope with an event that is not valid, without losing the other events."""
    lenient = _decode_lenient(text)
    events: list[LogEvent | msgspec.Raw] = []
    for raw in lenient.logEvents:
        try:
            events.append(decode_event(raw))
        except msgspec.ValidationError:
            events.append(raw)
    return Envelope(lenient.messageType, LogStream(lenient.owner, lenient.logGroup, lenient.logStream), events)


def _read_several(text: bytes) -> tuple[list[Envelope], list[UnreadablePart]]:
    """Return the envelopes that follow each other in a text, and the parts between them that are not valid."""
    envelopes: list[Envelope] = []
    unreadable: list[UnreadablePart] = []
    start = 0
    for end in ends_of_objects(text):
        if len(envelopes) + len(unreadable) >= MAX_ENVELOPES:
            return envelopes, [*unreadable, UnreadablePart("payload_too_large", text[start:])]
        try:
            envelopes.append(_read(text[start:end]))
        except Malformed as bad:
            unreadable.append(UnreadablePart(bad.reason, text[start:end]))
        start = end
    tail = text[start:].lstrip(JSON_SPACE)
    if tail:
        unreadable.append(UnreadablePart("payload_not_json" if tail.startswith(b"{") else "payload_encoding", tail))
    return envelopes, unreadable
