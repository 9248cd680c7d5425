"""Lines of flow logs, with or without header lines.

AWS writes them to S3 or exports them from CloudWatch Logs, and `aws logs tail`
prints them: each with the time and the log stream in front, or only the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcl_flowlog.counting.field_names import field_of
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.replay.content import Content, numbered_lines
from kcl_flowlog.replay.items import Batch, Item, event

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(?:Z|[+-]\d\d:?\d\d)?\s+")
# No field of a flow log looks like this: an interface id has no further hyphen.
_LOG_STREAM = re.compile(r"(eni-\w{1,64}-(?:all|accept|reject))\s+", re.ASCII)
# `aws logs tail --color on`.
_COLOUR = re.compile(r"\x1b\[\d{0,3}m")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# A file that was joined to another may begin with it.
_BYTE_ORDER_MARK = "\ufeff"


def read_flow_log_lines(content: Content) -> Iterator[Item]:
    """Yield the lines. A header line, at the beginning or later, sets the format of the lines below it."""
    log_format = ""
    batch = Batch()
    for number, raw in numbered_lines(content):
        log_stream, line = _without_prefix(raw.decode(errors="replace"))
        header = _format_of_header(line)
        if header or batch.is_full:
            yield from batch.take(log_format)
        if header:
            log_format = header
        else:
            batch.add(log_stream, event(line, number))
    yield from batch.take(log_format)


def _without_prefix(line: str) -> tuple[LogStream, str]:
    """Return a line without what stands before it, and its log stream."""
    line = _COLOUR.sub("", line) if "\x1b" in line else line
    line = line.removeprefix(_BYTE_ORDER_MARK)
    timestamp = _TIMESTAMP.match(line)
    if timestamp is None:
        return NO_LOG_STREAM, line
    name = _LOG_STREAM.match(line, timestamp.end())
    if name is None:
        return NO_LOG_STREAM, line[timestamp.end() :]
    return NO_LOG_STREAM._replace(name=name[1]), line[name.end() :]


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
