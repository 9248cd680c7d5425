"""Files into items to count. Recognises a file by its content, never by its name.

A file holds dead letters, payloads (as they come from Kinesis, or as JSON),
what AWS prints or passes around them, lines of flow logs, or Parquet, each
compressed with gzip or not. Unreadable data becomes an item as well, so that
it counts like bad data of the stream; what comes before it is not lost.

Reads on demand, and holds at most a payload, some thousand lines, or the first
10 MB of a file. Passes on `OSError` of the file, and `ConfigError` if a
library is missing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator

from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.counting.unpacking import COMPRESSED
from kcl_flowlog.replay import parquet
from kcl_flowlog.replay.aws_output import holds_aws_output, read_aws_output
from kcl_flowlog.replay.content import Content, numbered_lines, open_content
from kcl_flowlog.replay.dead_letters import holds_dead_letters, read_dead_letters
from kcl_flowlog.replay.envelopes import holds_envelopes, read_envelopes
from kcl_flowlog.replay.flow_log_lines import read_flow_log_lines
from kcl_flowlog.replay.inflating import Readable
from kcl_flowlog.replay.items import Events, Item, Payload, Unreadable, event

log = logging.getLogger(__name__)

# The base64 of gzip data, of zlib data, and of JSON.
_BASE64 = re.compile(rb"(H4sI|e[AFJN]|ey)[A-Za-z0-9+/]{30,}={0,2}")


def read_items(file: Readable, name: str) -> Iterator[Item]:
    """Yield the items of a file. `name` is the name of the file in messages."""
    content = open_content(file)
    try:
        if content.head.startswith(parquet.MAGIC):
            yield from _read_parquet(content, name)
        elif content.head:
            yield from _reader(content.head)(content)
    except parquet.Damaged as error:
        log.warning("Cannot read the Parquet file", extra={"fields": {"file": name, "error": str(error)}})
        yield Unreadable("payload", "payload_damaged")
        return
    if content.is_damaged:
        log.warning(
            "The compressed data is cut short or damaged; what comes before it is counted",
            extra={"fields": {"file": name}},
        )
        yield Unreadable("payload", "payload_damaged")


def _reader(head: bytes) -> Callable[[Content], Iterator[Item]]:
    return next((read for is_such, read in _READERS if is_such(head)), read_flow_log_lines)


def _read_parquet(content: Content, name: str) -> Iterator[Item]:
    number = 0
    for log_format, rows in parquet.read_lines(content.text, name):
        yield Events(NO_LOG_STREAM, [event(row, number + offset) for offset, row in enumerate(rows, 1)], log_format)
        number += len(rows)


def _holds_base64(head: bytes) -> bool:
    return _BASE64.match(head.lstrip()) is not None


def _read_base64(content: Content) -> Iterator[Item]:
    for number, line in numbered_lines(content):
        yield Payload(line, number)


def _is_binary(head: bytes) -> bool:
    return b"\0" in head or head.startswith(COMPRESSED)


def _read_whole(content: Content) -> Iterator[Item]:
    while content.text.read(_SKIPPED_BYTES):
        pass  # to see whether it is damaged, which is counted as such
    if not content.is_damaged:
        yield Payload(content.raw if content.raw is not None else content.head)


_SKIPPED_BYTES = 1024 * 1024

# The first that recognises the head reads the file.
_READERS: tuple[tuple[Callable[[bytes], bool], Callable[[Content], Iterator[Item]]], ...] = (
    (holds_dead_letters, read_dead_letters),
    (holds_aws_output, read_aws_output),
    (holds_envelopes, read_envelopes),
    (_holds_base64, _read_base64),
    (_is_binary, _read_whole),
)
