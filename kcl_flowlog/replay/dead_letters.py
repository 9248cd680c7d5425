"""Dead letters, read into what they were before: payloads, lines and log events."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from itertools import groupby, islice

import msgspec

from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.envelope import UNDECODABLE, decode_event
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.outcomes import MALFORMED_REASONS
from kcl_flowlog.replay.content import Content, numbered_lines
from kcl_flowlog.replay.items import MOST_EVENTS, Events, Item, Payload, Unreadable, event, raw_event


def holds_dead_letters(head: bytes) -> bool:
    """Say whether the first line is a dead letter."""
    return head.startswith(b"{") and _decode(head.partition(b"\n")[0]) is not None


def read_dead_letters(content: Content) -> Iterator[Item]:
    """Yield the contents of the dead letters. Log events of the same log stream stay together.

    Together they tell more about an unlisted interface than each alone.
    """
    items = (_item(line, number) for number, line in numbered_lines(content))
    for log_stream, group in groupby(items, lambda item: item.log_stream if isinstance(item, Events) else None):
        if log_stream is None:
            yield from group
            continue
        while some := list(islice(group, MOST_EVENTS)):
            yield Events(log_stream, [event for item in some if isinstance(item, Events) for event in item.events])


def _decode(line: bytes) -> DeadLetter | None:
    try:
        letter = msgspec.json.decode(line, type=DeadLetter)
    except UNDECODABLE:
        return None
    return letter if letter.kind in _READERS and letter.reason in MALFORMED_REASONS else None


def _item(line: bytes, number: int) -> Item:
    letter = _decode(line)
    if letter is None:
        # For example the last line before the disk was full. It counts as a malformed line.
        return Events(NO_LOG_STREAM, [event(line.decode(errors="replace"), number)])
    if letter.truncated:
        return Unreadable(letter.kind, letter.reason, number, letter.body)
    return _READERS[letter.kind](letter, number)


def _payload(letter: DeadLetter, number: int) -> Item:
    try:
        return Payload(base64.b64decode(letter.body, validate=True), number)
    except binascii.Error:
        return Unreadable(letter.kind, letter.reason, number, letter.body)


def _line(letter: DeadLetter, number: int) -> Item:
    return Events(_log_stream(letter), [event(letter.body, number)])


def _event(letter: DeadLetter, number: int) -> Item:
    raw = letter.body.encode(errors="replace")
    try:
        return Events(_log_stream(letter), [event(decode_event(raw).message, number)])
    except UNDECODABLE:
        return Events(_log_stream(letter), [raw_event(raw, number)])


def _log_stream(letter: DeadLetter) -> LogStream:
    return LogStream(letter.owner, letter.log_group, letter.log_stream)


_READERS: dict[str, Callable[[DeadLetter, int], Item]] = {"payload": _payload, "line": _line, "event": _event}
