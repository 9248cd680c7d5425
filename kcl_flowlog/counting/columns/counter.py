"""Counts the log events of many envelopes at a time, as far as columns can decide them.

Returns the events that must be read line by line. Together with these, promises the same counts as if all were read
line by line. Holds a bounded memory: the sums of some series, and a block of lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.columns import delays, who
from kcl_flowlog.counting.columns.block import Block, Decided
from kcl_flowlog.counting.columns.fields import Fields, fields_of
from kcl_flowlog.counting.columns.gathering import Chunk, Event, gather
from kcl_flowlog.counting.columns.interfaces import Interfaces, spread
from kcl_flowlog.counting.columns.ports import Ports
from kcl_flowlog.counting.columns.sums import ACTION_NAMES, MOST, Sums, series_of
from kcl_flowlog.counting.columns.text import Flags, Lines
from kcl_flowlog.counting.counts import EVENTS
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.flow_record import NODATA, OK, SKIPDATA
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import LogStream

MIN_LINES = 32
"""A block with fewer lines is read line by line: that costs less."""
_REJECT = ACTION_NAMES.index("reject")
_OUTCOMES = {OK: outcomes.COUNTED, NODATA: outcomes.NODATA, SKIPDATA: outcomes.SKIPDATA}


class Left(NamedTuple):
    """What is left to be read line by line though columns could decide it, as somebody wants to see each such line.

    With `without_flow`, the caller counts the events.
    """

    rejected: bool
    without_flow: bool


class ColumnCounter:
    """Counts chunks of log events.

    `watched_ports` are counted by number when rejected, others as `other_port`.
    """

    def __init__(
        self,
        formats: Formats,
        watched_ports: frozenset[str],
        other_port: str,
        left: Left,
        min_lines: int = MIN_LINES,
    ) -> None:
        self._formats = formats
        self._ports = Ports(watched_ports, other_port)
        self.left = left
        self._leaves_rejected = left.rejected or not self._ports.are_short
        self._min_lines = min_lines
        self._sums = Sums(self._ports.names)
        # Of the index that was used last.
        self._interfaces: Interfaces | None = None
        self._fields: dict[LineFormat, Fields | None] = {}

    def fields_of(self, log_stream: LogStream, word_count: int, index: Index) -> Fields | None:
        """Return the fields of the only format that lines with this number of words have; None to read them alone."""
        line_format = self._formats.reader(log_stream, index).only_format(word_count)
        if line_format is None:
            return None
        if line_format not in self._fields:
            self._fields[line_format] = fields_of(line_format)
        return self._fields[line_format]

    def count(self, chunks: Sequence[Chunk], index: Index, now: float, delta: Delta) -> list[Sequence[Event]]:
        """Count what columns can decide; return the other events of each chunk."""
        rest = [chunk.events for chunk in chunks]
        for fields, places in self._group(chunks, index).items():
            together = [chunks[place] for place in places]
            if sum(len(chunk.events) for chunk in together) < self._min_lines:
                continue
            gathered = gather(together, fields.word_count, fields.has_column_in_front)
            if gathered is not None:
                log_streams = [chunk.log_stream for chunk in together]
                counts = list(map(len, gathered.places))
                done = self.count_lines(gathered.lines, fields, log_streams, counts, index, now, delta)
                for place, events in zip(places, gathered.without(together, done), strict=True):
                    rest[place] = events
        return rest

    def count_lines(
        self,
        lines: Lines,
        fields: Fields,
        log_streams: Sequence[LogStream],
        counts: Sequence[int],
        index: Index,
        now: float,
        delta: Delta,
    ) -> Flags:
        """Count the lines of log streams, `counts` for each; return which lines are done."""
        interfaces = self._interfaces
        if interfaces is None or interfaces.index is not index:
            self._interfaces = interfaces = Interfaces(index)
        expected = [interfaces.find_named(log_stream) for log_stream in log_streams]
        of_line = np.repeat(np.arange(len(counts)), counts)
        decided = Block(lines, fields, interfaces).decide(expected, of_line)
        if decided is None:
            return np.zeros(lines.count, np.bool_)
        return self._add(lines, fields, decided, counts, now, delta)

    @property
    def rows(self) -> int:
        """The number of rows that the sums have in a delta."""
        return self._sums.rows

    def move_to(self, delta: Delta) -> None:
        """Add all sums to a delta."""
        self._sums.move_to(delta)

    def _group(self, chunks: Sequence[Chunk], index: Index) -> dict[Fields, list[int]]:
        """Return the places of chunks by the fields that most of their lines have."""
        groups: dict[Fields, list[int]] = {}
        for place, (log_stream, events, _) in enumerate(chunks):
            first = events[0] if events else None
            if isinstance(first, LogEvent):
                fields = self.fields_of(log_stream, first.message.count(" ") + 1, index)
                if fields is not None:
                    groups.setdefault(fields, []).append(place)
        return groups

    def _add(
        self, lines: Lines, fields: Fields, decided: Decided, counts: Sequence[int], now: float, delta: Delta
    ) -> Flags:
        """Count what was decided; return the lines that are done."""
        counted = decided.counted
        is_rejected = decided.action == _REJECT
        if self._leaves_rejected:
            counted &= ~is_rejected
        most = _leave_too_large(decided)
        slots = [(each.subnet_id, each.interface_type) for each in decided.listed]
        begin = spread(self._sums.begin(slots, most, lines.count, delta), decided.of_line)
        counted &= begin >= 0
        series = begin + series_of(decided.way, decided.action, decided.protocol, decided.peer)
        self._sums.add(np.where(counted, series, self._sums.nowhere), decided.packets, decided.octets)
        rejected = np.flatnonzero(counted & is_rejected)
        if len(rejected):
            self._sums.add_rejected(series[rejected], self._ports.numbers(lines, fields.dstport, rejected))
        if delta.who is not None:
            who.collect(lines, fields, decided, counts, rejected, delta.who)
        if fields.end is not None:
            delays.observe(decided.ends[counted], now, delta)
        done = counted
        if self.left.without_flow:
            return done
        for status, flags in {OK: counted, **decided.without_flow}.items():
            number = int(np.count_nonzero(flags))
            if number:
                delta.add(EVENTS, _OUTCOMES[status], number)
                done = done | flags
        return done


def _leave_too_large(decided: Decided) -> int:
    """Leave lines with numbers that sums may have no room for; return the most that any other has.

    There are none unless somebody writes impossible numbers into thousands of lines.
    """
    numbers = np.maximum(decided.packets, decided.octets)
    most = int((numbers * decided.counted).max())
    if most * len(numbers) > MOST:
        most = MOST // len(numbers)
        np.logical_and(decided.counted, numbers <= most, out=decided.counted)
    return most
