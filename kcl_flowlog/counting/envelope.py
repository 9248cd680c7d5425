"""The envelopes in a payload: CloudWatch Logs' JSON around log events.

CloudWatch Logs sends one envelope in a payload. Several envelopes in sequence
are read as well, as some forwarders join them, and so is what agents such as
Fluent Bit and the Kinesis Agent send: `{"message": "<line>"}`, a log event
without an envelope. Knows nothing of what the log events say. Data that can't
be read is `Malformed` with a `payload_…` reason; the envelopes before it are
not lost.

Source: "Log group-level subscription filters", CloudWatch Logs User Guide.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.brackets import ends_of_objects
from kcl_flowlog.counting.duplicates import Checksum, checksum
from kcl_flowlog.counting.log_stream import MAX_NAME_LENGTH, NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.room import Room
from kcl_flowlog.counting.unpacking import Unpacked, UnreadablePart, start_of
from kcl_flowlog.errors import Malformed

DATA_MESSAGE = "DATA_MESSAGE"
CONTROL_MESSAGE = "CONTROL_MESSAGE"

MAX_ENVELOPES = 1024
"""Most envelopes that are read from a payload; forwarders join a few dozen."""

# CloudWatch Logs accepts no larger log event, in bytes.
_LARGEST_EVENT = 1024 * 1024
UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises at a text that is no JSON of the expected type."""

_SPACES = re.compile(rb"[ \t\r\n]*")
_JSON_SPACE = b" \t\r\n"
_EVENTS_BEGIN = b'"logEvents":[{"id":"'
_BRACKET = len('"logEvents":[')
_MESSAGE = b'"message":"'
_EVENTS_END = b'"}]}'
_NO_EVENTS = b'"logEvents":[]}'
# The names of log group and log stream, and some filters, are before the events.
_MAX_HEAD = 4096
# Some megabytes at most.
_MAX_LOG_STREAMS = 2048


class LogEvent(msgspec.Struct, gc=False):
    """An event as CloudWatch Logs sends it; an id is unique among all log events."""

    message: str
    id: str = ""


class Envelope(NamedTuple):
    """The log events of one log stream. An event without a text message is its raw JSON.

    `checksum` is that of the events in JSON, None if any of them is not valid.
    """

    message_type: str
    log_stream: LogStream
    events: list[LogEvent | msgspec.Raw]
    checksum: Checksum | None

    @property
    def outer_ids(self) -> tuple[str, str] | None:
        """The ids of the first and the last event, or None if one of these has no id."""
        outer = self.events[:1] + self.events[-1:]
        ids = [event.id for event in outer if isinstance(event, LogEvent) and event.id]
        return (ids[0], ids[1]) if len(ids) > 1 else None


class OpenedPayload(NamedTuple):
    """What a payload holds: at least one envelope. `form` is a form of `unpacking.Unpacked`, `size` its text's."""

    form: str
    size: int
    envelopes: list[Envelope]
    unreadable: list[UnreadablePart]


class UnreadEnvelope(msgspec.Struct, frozen=True, gc=False):
    """An envelope of which all but the events was read; `events` is their JSON without the brackets around it.

    `word_count` is the number of words of the first message.
    """

    log_stream: LogStream
    events: memoryview
    checksum: Checksum
    word_count: int


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


class _Wrapped(msgspec.Struct):
    message: str
    messageType: object = None  # noqa: N815


_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_decode_strict = msgspec.json.Decoder(_StrictEnvelope).decode
_decode_lenient = msgspec.json.Decoder(_LenientEnvelope).decode
decode_event = msgspec.json.Decoder(LogEvent).decode


def peek(text: bytes) -> UnreadEnvelope | None:
    """Return the only envelope in a text if it looks like CloudWatch Logs' spelling, without reading its events."""
    begin = text.find(_EVENTS_BEGIN, 0, _MAX_HEAD)
    if begin < 0 or not text.endswith(_EVENTS_END) or not text.isascii() or b"\\" in text:
        return None
    log_stream = _LOG_STREAMS[text[:begin]]
    if log_stream is None:
        return None
    message = text.find(_MESSAGE, begin) + len(_MESSAGE)
    word_count = text.count(b" ", message, text.find(b'"', message)) + 1
    events = memoryview(text)[begin:]
    return UnreadEnvelope(log_stream, events[_BRACKET : -len("]}")], checksum(events), word_count)


def _log_stream_of(head: bytes) -> LogStream | None:
    """Return the log stream of a data message, of which this text precedes the events; None for anything else."""
    try:
        envelope = _decode_strict(head + _NO_EVENTS)
    except UNDECODABLE:
        return None
    log_stream = LogStream(envelope.owner, envelope.logGroup, envelope.logStream)
    is_usable = envelope.messageType == DATA_MESSAGE and max(map(len, log_stream)) <= MAX_NAME_LENGTH
    return log_stream if is_usable else None


# All envelopes of a log stream begin alike.
_LOG_STREAMS = BoundedCache(_log_stream_of, _MAX_LOG_STREAMS)


def open_text(unpacked: Unpacked, limit: int) -> OpenedPayload:
    """Return what is in a payload that was unpacked within `limit`. Raises `Malformed` if no envelope can be read."""
    form, text, unreadable = unpacked.form, unpacked.text, unpacked.unreadable
    room = Room(text, limit)
    try:
        return OpenedPayload(form, len(text), [_read(text, room)], unreadable)
    except Malformed as bad:
        if bad.reason == "payload_too_large":
            raise
        # One envelope is the rule; a search for several is worth its time only if that fails.
        envelopes, parts = _read_several(text, room)
        unreadable = parts + unreadable
        if not envelopes:
            raise Malformed(unreadable[0].reason if unreadable else bad.reason) from None
        return OpenedPayload(form, len(text), envelopes, unreadable)


def _read(text: bytes | memoryview, room: Room) -> Envelope:
    """Return the envelope of a JSON text. Raises `Malformed`."""
    try:
        envelope = _decode(text, room)
    except msgspec.ValidationError:
        envelope = _of_agent(text)
    except UNDECODABLE:
        raise Malformed("payload_not_json") from None
    if envelope.message_type not in (DATA_MESSAGE, CONTROL_MESSAGE):
        raise Malformed("payload_message_type")
    if max(map(len, envelope.log_stream)) > MAX_NAME_LENGTH:
        raise Malformed("payload_not_envelope")
    room.take(len(envelope.events))
    return envelope


def _decode(text: bytes | memoryview, room: Room) -> Envelope:
    try:
        strict = _decode_strict(text)
    except msgspec.ValidationError:
        return _decode_event_by_event(text, room)
    log_stream = LogStream(strict.owner, strict.logGroup, strict.logStream)
    events: list[LogEvent | msgspec.Raw] = strict.logEvents  # type: ignore[assignment] # a list of both
    return Envelope(strict.messageType, log_stream, events, checksum(_events_in(text)))


def _events_in(text: bytes | memoryview) -> memoryview:
    """Return a text from its events on; CloudWatch Logs writes them last, behind what depends on the subscription."""
    start = bytes(text[:_MAX_HEAD]).find(b'"logEvents"')
    end = len(text)
    while end and text[end - 1] in _JSON_SPACE:
        end -= 1
    return memoryview(text)[max(0, start) : end]


def _of_agent(text: bytes | memoryview) -> Envelope:
    """Return the envelope of a log event that an agent has sent without an envelope. Raises `Malformed`."""
    try:
        is_event = len(text) <= _LARGEST_EVENT and _decode_wrapped(text).messageType is None
        # The event is the JSON as a whole: how a line is wrapped is no matter of envelopes. The decoder does not look
        # into what it skips, so the text may not be UTF-8 there.
        event = LogEvent(str(text, "utf-8").strip()) if is_event else None
    except UNDECODABLE:
        event = None
    if event is None:
        raise Malformed("payload_not_envelope")
    return Envelope(DATA_MESSAGE, NO_LOG_STREAM, [event], None)


def _decode_event_by_event(text: bytes | memoryview, room: Room) -> Envelope:
    """Read an envelope with an event that is not valid, without losing the other events."""
    room.check_elements()
    lenient = _decode_lenient(text)
    events: list[LogEvent | msgspec.Raw] = lenient.logEvents  # type: ignore[assignment] # in place, for less memory
    for number, raw in enumerate(lenient.logEvents):
        try:
            events[number] = decode_event(raw)
        except msgspec.ValidationError:
            continue
    log_stream = LogStream(lenient.owner, lenient.logGroup, lenient.logStream)
    return Envelope(lenient.messageType, log_stream, events, None)


def _read_several(text: bytes, room: Room) -> tuple[list[Envelope], list[UnreadablePart]]:
    """Return the envelopes that follow each other in a text, and the parts between them that are not valid."""
    envelopes: list[Envelope] = []
    unreadable: list[UnreadablePart] = []
    start = 0
    try:
        for end in ends_of_objects(text):
            if len(envelopes) + len(unreadable) >= MAX_ENVELOPES:
                raise Malformed("payload_too_large")
            try:
                # A view, as a copy of each part would take as much memory as all of the text.
                _append(envelopes, _read(memoryview(text)[start:end], room))
            except Malformed as bad:
                if bad.reason == "payload_too_large":
                    raise
                unreadable.append(UnreadablePart(bad.reason, start_of(text, start, end)))
            start = end
    except Malformed as bad:
        return envelopes, [*unreadable, UnreadablePart(bad.reason, start_of(text, start, len(text)))]
    start = _SPACES.match(text, start).end()  # type: ignore[union-attr] # matches anything
    if start < len(text):
        reason = "payload_not_json" if text.startswith(b"{", start) else "payload_encoding"
        unreadable.append(UnreadablePart(reason, start_of(text, start, len(text))))
    return envelopes, unreadable


def _append(envelopes: list[Envelope], envelope: Envelope) -> None:
    """Append an envelope; events of agents, each of which comes alone, share one."""
    if envelope.log_stream is NO_LOG_STREAM and envelopes and envelopes[-1].log_stream is NO_LOG_STREAM:
        envelopes[-1].events.extend(envelope.events)
    else:
        envelopes.append(envelope)
