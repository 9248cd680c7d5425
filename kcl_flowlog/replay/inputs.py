"""Files into items to count: told apart by what is in them, never by their names.

A file holds dead letters, payloads (as they come from Kinesis, or their JSON,
one or many), lines of flow logs, or Parquet; gzip around it makes no
difference. What can't be read becomes an item that says so, so that it is
counted like bad data of a stream. Reads on as it is asked to, and holds at
most one payload, one piece of a file's lines, or its first 10 MB.

`OSError` of the file and `ConfigError` for what needs another package are let
through.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import NamedTuple, Protocol

import msgspec

from kcl_flowlog.counting.delta import DeadLetter
from kcl_flowlog.counting.envelope import (
    GZIP_MAGIC,
    LARGEST_RECORD,
    MOST_ENVELOPES,
    LogEvent,
    decode_event,
    ends_of_objects,
)
from kcl_flowlog.counting.flow_record import FIELDS
from kcl_flowlog.counting.log_stream import NOWHERE, LogStream
from kcl_flowlog.counting.outcomes import MALFORMED_REASONS
from kcl_flowlog.replay import parquet

_HEAD = 64 * 1024
_PIECE = 4 * 1024 * 1024
_LARGEST_OBJECT = 64 * 1024 * 1024
_LONGEST_LINE = 1024 * 1024
_EVENTS_AT_ONCE = 10_000

_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
# The base64 of gzip data, and of JSON.
_BASE64 = re.compile(rb"(H4sI|ey)[A-Za-z0-9+/]{30,}={0,2}")
# Logs that CloudWatch Logs has exported to S3 have the time before each line.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)\s+")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9-]*")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Payload(NamedTuple):
    """A payload as it came, or could have come, from Kinesis."""

    data: bytes


class Events(NamedTuple):
    """Log events of one log stream; one without a text message is its raw JSON.

    `log_format` is the format that the file itself names, empty where it names none.
    """

    stream: LogStream
    events: list[LogEvent | bytes]
    log_format: str = ""


class Lost(NamedTuple):
    """Bad data of which too little is left to be read again; `kind` is a dead letter's."""

    kind: str
    reason: str


Item = Payload | Events | Lost


class _Content(NamedTuple):
    """A file and what is in it, inflated where it `is_gzip`; `raw` is the whole file as it is, None for a large one."""

    head: bytes
    text: io.BufferedReader
    raw: bytes | None
    is_gzip: bool


def items(file: _Readable, name: str) -> Iterator[Item]:
    """Yield what is in a file; `name` is for sentences."""
    try:
        content = _open(file)
        if content.head.startswith(parquet.MAGIC):
            for log_format, lines in parquet.lines(content.text, name):
                yield Events(NOWHERE, [LogEvent(line) for line in lines], log_format)
        elif content.head:
            read = next((read for is_such, read in _SHAPES if is_such(content.head)), _read_lines)
            yield from read(content)
    except _DAMAGED:
        yield Lost("payload", "payload_damaged")


def _open(file: _Readable) -> _Content:
    # A file that is no larger than a record may be one.
    start = file.read(LARGEST_RECORD + 1)
    raw = start if len(start) <= LARGEST_RECORD else None
    is_gzip = start.startswith(GZIP_MAGIC)
    whole = io.BufferedReader(_Rejoined(start, file))
    text: _Readable = gzip.GzipFile(fileobj=whole) if is_gzip else whole
    head = text.read(_HEAD)
    return _Content(head, io.BufferedReader(_Rejoined(head, text)), raw, is_gzip)


class _Rejoined(io.RawIOBase):
    """A file whose first bytes were read already."""

    def __init__(self, start: bytes, rest: _Readable) -> None:
        self._start = io.BytesIO(start)
        self._rest = rest

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, at least with a byte while there is one."""
        data = self._start.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


# What a file may hold, by its first bytes


def _holds_letters(head: bytes) -> bool:
    return head.startswith(b"{") and _letter(head.partition(b"\n")[0]) is not None


def _holds_envelopes(head: bytes) -> bool:
    return head.lstrip().startswith(b"{") and (b'"messageType"' in head or b'"logEvents"' in head)


def _holds_base64(head: bytes) -> bool:
    return _BASE64.match(head) is not None


def _is_binary(head: bytes) -> bool:
    return b"\0" in head or head.startswith(GZIP_MAGIC)


# And how it is read


def _read_letters(content: _Content) -> Iterator[Item]:
    letters = map(_item_of_letter, _lines(content.text))
    for stream, found in groupby(letters, lambda item: item.stream if isinstance(item, Events) else None):
        if stream is None:
            yield from found
            continue
        # The lines of an interface together tell more of it than each alone.
        while piece := list(islice(found, _EVENTS_AT_ONCE)):
            yield Events(stream, [event for item in piece if isinstance(item, Events) for event in item.events])


def _read_envelopes(content: _Content) -> Iterator[Item]:
    first, newline, more = content.head.partition(b"\n")
    is_one_to_a_line = newline and _is_json(first) and more.lstrip().startswith(b"{")
    if content.raw is not None and not is_one_to_a_line:
        text = content.text.read(LARGEST_RECORD)
        is_all = len(text) < LARGEST_RECORD
        if is_all and len(list(islice(ends_of_objects(text), MOST_ENVELOPES + 1))) <= MOST_ENVELOPES:
            yield Payload(content.raw)
            return
        content = content._replace(text=io.BufferedReader(_Rejoined(text, content.text)))
    # As CloudWatch Logs would have sent each: a stored gzip member costs next to nothing.
    wrap: Callable[[bytes], bytes] = _stored if content.is_gzip else bytes
    for one in _objects(content.text):
        yield Payload(wrap(one))


def _read_base64(content: _Content) -> Iterator[Item]:
    for line in _lines(content.text):
        yield Payload(line)


def _read_whole(content: _Content) -> Iterator[Item]:
    yield Payload(content.raw if content.raw is not None else content.head)


def _read_lines(content: _Content) -> Iterator[Item]:
    log_format = ""
    events: list[LogEvent | bytes] = []
    for raw in _lines(content.text):
        line = _TIMESTAMP.sub("", raw.decode(errors="replace"), count=1)
        header = _format_of_header(line)
        if header or len(events) >= _EVENTS_AT_ONCE:
            if events:
                yield Events(NOWHERE, events, log_format)
            events = []
        if header:
            log_format = header
        else:
            events.append(LogEvent(line))
    if events:
        yield Events(NOWHERE, events, log_format)


# The first that is true; else lines of flow logs.
_SHAPES: tuple[tuple[Callable[[bytes], bool], Callable[[_Content], Iterator[Item]]], ...] = (
    (_holds_letters, _read_letters),
    (_holds_envelopes, _read_envelopes),
    (_holds_base64, _read_base64),
    (_is_binary, _read_whole),
)


def _letter(line: bytes) -> DeadLetter | None:
    try:
        letter = msgspec.json.decode(line, type=DeadLetter)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return letter if letter.kind in _BODIES and letter.reason in MALFORMED_REASONS else None


def _item_of_letter(line: bytes) -> Item:
    letter = _letter(line)
    if letter is None:
        # A line that was cut off by a full disk, for example; it is counted for what it is.
        return Events(NOWHERE, [LogEvent(line.decode(errors="replace"))])
    if letter.truncated:
        return Lost(letter.kind, letter.reason)
    return _BODIES[letter.kind](letter)


def _payload_of(letter: DeadLetter) -> Item:
    try:
        return Payload(base64.b64decode(letter.body, validate=True))
    except binascii.Error:
        return Lost(letter.kind, letter.reason)


def _line_of(letter: DeadLetter) -> Item:
    return Events(_stream_of(letter), [LogEvent(letter.body)])


def _event_of(letter: DeadLetter) -> Item:
    raw = letter.body.encode(errors="replace")
    try:
        return Events(_stream_of(letter), [decode_event(raw)])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Events(_stream_of(letter), [raw])


_BODIES: dict[str, Callable[[DeadLetter], Item]] = {"payload": _payload_of, "line": _line_of, "event": _event_of}


def _stream_of(letter: DeadLetter) -> LogStream:
    return LogStream(letter.owner, letter.log_group, letter.log_stream)


def _format_of_header(line: str) -> str:
    """Return the format that a header line names, empty for any other line."""
    words = line.split()
    if not words or words[0] not in FIELDS or not all(map(_FIELD_NAME.fullmatch, words)):
        return ""
    return " ".join(f"${{{word}}}" for word in dict.fromkeys(words))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _stored(text: bytes) -> bytes:
    return gzip.compress(text, compresslevel=0, mtime=0)


def _lines(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield the lines that hold anything; of one that is too long to be a log event, the start."""
    while line := file.readline(_LONGEST_LINE):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == _LONGEST_LINE:
            rest = file.readline(_LONGEST_LINE)
        if line := line.strip():
            yield line


def _objects(file: io.BufferedReader) -> Iterable[bytes]:
    """Yield JSON objects that stand one after the other, each with what precedes it; then what is left."""
    rest = b""
    while piece := file.read(_PIECE):
        rest += piece
        start = 0
        for end in ends_of_objects(rest):
            yield rest[start:end]
            start = end
        rest = rest[start:]
        if len(rest) > _LARGEST_OBJECT:
            break
    if rest.strip():
        yield rest
