"""Lines of flow logs, with or without header lines, as AWS writes them to S3 or CloudWatch Logs exports them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.field_names import field_of
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.replay.content import Content, lines
from kcl_flowlog.replay.items import Events, Item

_MAX_EVENTS = 10_000
# An export to S3 puts the time of each log event before its line.
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)\s+")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# A file that was joined to another may begin with it.
_BYTE_ORDER_MARK = "\ufeff"


def read_flow_log_lines(content: Content) -> Iterator[Item]:
    """Yield the lines. A header line, at the beginning or later, sets the format of the lines below it."""
    log_format = ""
    events: list[LogEvent | bytes] = []
    for raw in lines(content.text):
        line = _TIMESTAMP.sub("", raw.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK), count=1)
        header = _format_of_header(line)
        if events and (header or len(events) >= _MAX_EVENTS):
            yield Events(NO_LOG_STREAM, events, log_format)
            events = []
        if header:
            log_format = header
        else:
            events.append(LogEvent(line))
    if events:
        yield Events(NO_LOG_STREAM, events, log_format)


def _format_of_header(line: str) -> str:
    """Return the format that a header line names, or an empty text for every other line."""
    words = line.split()
    if not words or not all(map(_FIELD_NAME.fullmatch, words)):
        return ""
    known = [field_of(word) for word in words]
    # A sentence may have the word `start`; a header may have some fields of the future.
    if 2 * known.count(None) > len(words):
        return ""
    names = [name or word.lower().replace("_", "-") for name, word in zip(known, words, strict=True)]
    return " ".join(f"${{{name}}}" for name in dict.fromkeys(names))
