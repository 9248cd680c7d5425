"""A Kinesis payload, opened: gzip, then CloudWatch Logs' JSON envelopes.

CloudWatch Logs sends one gzip member with one envelope. What others make of
it is read as well: several members, several envelopes one after the other,
base64 around it, or no compression at all. Opening knows nothing of what the
log events say, and never takes more memory than a small multiple of the limit
it is given, whatever the payload. What can't be read is told as `Malformed`
with a `payload_…` reason, without losing the envelopes before it.

Source of the form: "Log group-level subscription filters", CloudWatch Logs
User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import pybase64
from isal import isal_zlib

from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.errors import Malformed

_GZIP = 16 + isal_zlib.MAX_WBITS
GZIP_MAGIC = b"\x1f\x8b"
LARGEST_RECORD = 10 * 1024 * 1024
"""Most bytes of a record: Kinesis takes no larger one."""

# CloudWatch Logs sends one. Each further member copies the rest of the payload, so a crafted one must not have many.
_MOST_MEMBERS = 64

DATA_MESSAGE = "DATA_MESSAGE"
CONTROL_MESSAGE = "CONTROL_MESSAGE"

GZIP: Final = "gzip"
PLAIN: Final = "plain"
BASE64: Final = "base64"

# More would only be made to keep us busy; the forwarders that put some together reach a few dozen.
MOST_ENVELOPES = 1024
"""Most envelopes that are read of one payload."""

# The brackets of JSON, and its texts whole, so that no bracket in a text counts. One that nothing ends goes to the end.
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*\\?(?:"|\Z)|[{}\[\]]', re.DOTALL)
_SPACE = b" \t\r\n"


class LogEvent(msgspec.Struct):
    """An event as CloudWatch Logs sends it; an id is unique among all log events."""

    message: str
    id: str = ""


class Envelope(NamedTuple):
    """The log events of one log stream. An event without a text message is its raw JSON."""

    message_type: str
    stream: LogStream
    events: list[LogEvent | msgspec.Raw]


class Rest(NamedTuple):
    """A part of a payload that can't be read, and why: the same as if it were a payload alone."""

    reason: str
    data: bytes


class Opened(NamedTuple):
    """What a payload holds: at least one envelope. `form` is `GZIP`, `PLAIN` or `BASE64`."""

    form: str
    envelopes: list[Envelope]
    rests: list[Rest]


class _Typed(msgspec.Struct):
    messageType: str  # noqa: N815 - CloudWatch Logs' own spelling, here and below
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[LogEvent] = []  # noqa: N815


class _Lenient(msgspec.Struct):
    messageType: str  # noqa: N815
    owner: str = ""
    logGroup: str = ""  # noqa: N815
    logStream: str = ""  # noqa: N815
    logEvents: list[msgspec.Raw] = []  # noqa: N815


_decode_typed = msgspec.json.Decoder(_Typed).decode
_decode_lenient = msgspec.json.Decoder(_Lenient).decode
decode_event = msgspec.json.Decoder(LogEvent).decode


def open_payload(payload: bytes, limit: int) -> Opened:
    """Return what is in `payload`, which may inflate to at most `limit` bytes.

    Raises `Malformed` where not even one envelope can be read.
    """
    form, text, damaged = _unpack(payload, limit)
    try:
        return Opened(form, [_read(text)], damaged)
    except Malformed as bad:
        # One envelope is the rule; only where that fails is it worth a look whether there are several.
        envelopes, rests = _read_several(text)
        rests += damaged
        if not envelopes:
            raise Malformed(rests[0].reason if rests else bad.reason) from None
        return Opened(form, envelopes, rests)


def _unpack(payload: bytes, limit: int) -> tuple[str, bytes, list[Rest]]:
    """Return the form of a payload, its text, and what could not be inflated, if anything."""
    if payload.startswith(GZIP_MAGIC):
        return (GZIP, *_inflate(payload, limit))
    if payload.lstrip(_SPACE)[:1] == b"{":
        return (PLAIN, _bounded(payload, limit), [])
    try:
        decoded = pybase64.b64decode(payload.strip(_SPACE), validate=True)
    except ValueError:
        raise Malformed("payload_encoding") from None
    if decoded.startswith(GZIP_MAGIC):
        return (BASE64, *_inflate(decoded, limit))
    if decoded.lstrip(_SPACE)[:1] == b"{":
        return (BASE64, _bounded(decoded, limit), [])
    raise Malformed("payload_encoding")


def _bounded(text: bytes, limit: int) -> bytes:
    if len(text) > limit:
        raise Malformed("payload_too_large")
    return text


def _inflate(payload: bytes, limit: int) -> tuple[bytes, list[Rest]]:
    """Return the data of the gzip members of `payload`, and from the first damaged one on the rest.

    Raises `Malformed` where the first is damaged, or all together are too large.
    """
    parts: list[bytes] = []
    room = limit
    for _ in range(_MOST_MEMBERS):
        inflater = isal_zlib.decompressobj(_GZIP)
        try:
            part = inflater.decompress(payload, room + 1)
        except isal_zlib.IsalError:  # type: ignore[misc] # its stub calls the class a value
            part = None
        if part is not None and len(part) > room:
            raise Malformed("payload_too_large")
        if part is None or not inflater.eof:
            if not parts:
                raise Malformed("payload_damaged")
            reason = "payload_damaged" if payload.startswith(GZIP_MAGIC) else "payload_encoding"
            return b"".join(parts), [Rest(reason, payload)]
        parts.append(part)
        room -= len(part)
        payload = inflater.unused_data
        if not payload:
            return parts[0] if len(parts) == 1 else b"".join(parts), []
    raise Malformed("payload_too_large")


def _read(text: bytes) -> Envelope:
    """Return the envelope that `text` is. Raises `Malformed`."""
    try:
        envelope = _decode(text)
    except msgspec.ValidationError:
        raise Malformed("payload_not_envelope") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("payload_not_json") from None
    if envelope.message_type not in (DATA_MESSAGE, CONTROL_MESSAGE):
        raise Malformed("payload_message_type")
    return envelope


def _decode(text: bytes) -> Envelope:
    try:
        typed = _decode_typed(text)
    except msgspec.ValidationError:
        return _decode_event_by_event(text)
    stream = LogStream(typed.owner, typed.logGroup, typed.logStream)
    return Envelope(typed.messageType, stream, typed.logEvents)  # type: ignore[arg-type] # a list of one of both


def _decode_event_by_event(text: bytes) -> Envelope:
    """Read an envelope in which some event is odd, without losing those beside it."""
    lenient = _decode_lenient(text)
    events: list[LogEvent | msgspec.Raw] = []
    for raw in lenient.logEvents:
        try:
            events.append(decode_event(raw))
        except msgspec.ValidationError:
            events.append(raw)
    return Envelope(lenient.messageType, LogStream(lenient.owner, lenient.logGroup, lenient.logStream), events)


def _read_several(text: bytes) -> tuple[list[Envelope], list[Rest]]:
    """Return the envelopes that stand one after the other in `text`, and what between and behind them is none."""
    envelopes: list[Envelope] = []
    rests: list[Rest] = []
    start = 0
    for end in ends_of_objects(text):
        if len(envelopes) + len(rests) >= MOST_ENVELOPES:
            return envelopes, [*rests, Rest("payload_too_large", text[start:])]
        try:
            envelopes.append(_read(text[start:end]))
        except Malformed as bad:
            rests.append(Rest(bad.reason, text[start:end]))
        start = end
    tail = text[start:].lstrip(_SPACE)
    if tail:
        rests.append(Rest("payload_not_json" if tail.startswith(b"{") else "payload_encoding", tail))
    return envelopes, rests


def ends_of_objects(text: bytes) -> Iterator[int]:
    """Yield where each JSON object ends, as far as its brackets tell."""
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
