"""The lines of several chunks of log events, gathered in one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcl_flowlog.counting.columns.text import Flags, Lines, is_regular, join
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.log_stream import LogStream

Event = LogEvent | bytes

# A block of more characters has long lines, which are left out of it; it shall take some megabytes at most.
_MAX_CHARACTERS = 1024 * 1024


class Chunk(NamedTuple):
    """Some log events of a log stream. An event without a text message is its raw JSON.

    `size` is at least the number of characters of all messages, None if that is not known.
    """

    log_stream: LogStream
    events: Sequence[Event]
    size: int | None


class Gathered(NamedTuple):
    """The lines of chunks; `places` are those of the events in each chunk that have a line, in order."""

    lines: Lines
    places: Sequence[Sequence[int]]

    def without(self, chunks: Sequence[Chunk], done: Flags) -> list[Sequence[Event]]:
        """Return the events of each chunk, without those whose lines are done."""
        rest: list[Sequence[Event]] = []
        start = 0
        for chunk, places in zip(chunks, self.places, strict=True):
            end = start + len(places)
            flags = done[start:end]
            start = end
            if len(places) == len(chunk.events) and flags.all():
                rest.append(())
            else:
                skipped = {place for place, flag in zip(places, flags.tolist(), strict=True) if flag}
                rest.append([event for place, event in enumerate(chunk.events) if place not in skipped])
        return rest


def gather(chunks: Sequence[Chunk], field_count: int, has_column_in_front: bool) -> Gathered | None:
    """Return the lines with this number of words, or None if no event has such a line."""
    try:
        messages = [event.message for chunk in chunks for event in chunk.events]  # type: ignore[union-attr] # see below
        if not _are_small(chunks) and sum(map(len, messages)) > _MAX_CHARACTERS:
            raise ValueError("too large")
        lines = join(messages, field_count, has_column_in_front)
    except (AttributeError, ValueError):
        return _gather_regular(chunks, field_count, has_column_in_front)
    return Gathered(lines, [range(len(chunk.events)) for chunk in chunks])


def _are_small(chunks: Sequence[Chunk]) -> bool:
    return sum(_MAX_CHARACTERS if chunk.size is None else chunk.size for chunk in chunks) < _MAX_CHARACTERS


def _gather_regular(chunks: Sequence[Chunk], field_count: int, has_column_in_front: bool) -> Gathered | None:
    messages: list[str] = []
    places: list[list[int]] = []
    for chunk in chunks:
        places.append([])
        for place, event in enumerate(chunk.events):
            if isinstance(event, LogEvent) and is_regular(event.message, field_count):
                messages.append(event.message)
                places[-1].append(place)
    return Gathered(join(messages, field_count, has_column_in_front), places) if messages else None
