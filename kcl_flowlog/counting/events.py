"""Log events in, counts out: as columns as far as these can decide, else line by line.

Both ways together promise the same counts, dead letters and denials, in the same order, as line by line alone. Events
of small envelopes wait for each other, so their counts may be missing from the delta until `flush`, and the sums of
columns until `complete`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.columns.counter import ColumnCounter
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.gathering import Chunk, Event
from kcl_flowlog.counting.columns.text import Lines, left
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.line_by_line import LineByLine
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin
from kcl_flowlog.counting.tally import MakeTally

AT_A_TIME = 2048
"""Most events of an envelope that are counted together, so that few records are in memory. Interfaces are learned from
this many records together."""
BLOCK = 12_288
"""As many lines are counted as columns together: more would take more than some megabytes."""
# Events of several small envelopes wait for each other until they make a block, or have this many bytes of text.
_MAX_WAITING_BYTES = 1024 * 1024


class _Waiting(NamedTuple):
    chunk: Chunk
    origin: PayloadOrigin


class Piece(msgspec.Struct, frozen=True, gc=False):
    """At most `AT_A_TIME` lines of an envelope."""

    log_stream: LogStream
    lines: int
    origin: PayloadOrigin


class EventCounter:
    """Counts log events into one delta as of one time, until `use` changes them. Without `columns`, line by line."""

    def __init__(
        self, attributor: Attributor, lines: LineByLine, columns: ColumnCounter | None, make_tally: MakeTally
    ) -> None:
        self._attributor = attributor
        self._lines = lines
        self._columns = columns
        self._make_tally = make_tally
        # Line by line there is nothing to wait for, and the events are still in the processor's cache.
        self._block = BLOCK if columns is not None else 1
        self._waiting: list[_Waiting] = []
        self._events = self._bytes = 0
        self._now = 0.0
        self._delta = Delta()

    def use(self, now: float, delta: Delta) -> None:
        """Count what follows as of `now`, into `delta`. The caller has completed everything before."""
        self._now, self._delta = now, delta

    def add(self, log_stream: LogStream, events: Iterable[Event], size: int | None, origin: PayloadOrigin) -> None:
        """Add events of a payload whose text has `size` bytes, None if that is not known."""
        rest = iter(events)
        while some := list(islice(rest, AT_A_TIME)):
            self._waiting.append(_Waiting(Chunk(log_stream, some, size), origin))
            self._events += len(some)
            self._bytes += size or 0
            if self._events >= self._block or self._bytes >= _MAX_WAITING_BYTES:
                self.flush()

    def flush(self) -> None:
        """Count all events that wait."""
        waiting, self._waiting = self._waiting, []
        self._events = self._bytes = 0
        rest: Sequence[Sequence[Event]] = [each.chunk.events for each in waiting]
        if self._columns is not None and waiting:
            chunks = [each.chunk for each in waiting]
            rest = self._columns.count(chunks, self._attributor.index, self._now, self._delta)
        for (chunk, origin), events in zip(waiting, rest, strict=True):
            self._count_rest(events, len(chunk.events), chunk.log_stream, origin)

    def count_lines(self, lines: Lines, fields: Fields, pieces: Sequence[Piece]) -> None:
        """Count the lines of envelopes, whose events need not be decoded."""
        if self._columns is None:
            raise TypeError("there are no columns")
        start = 0
        for block in _blocks(pieces):
            end = start + sum(piece.lines for piece in block)
            rows = lines.rows(slice(start, end))
            counts = [piece.lines for piece in block]
            log_streams = [piece.log_stream for piece in block]
            done = self._columns.count_lines(
                rows, fields, log_streams, counts, self._attributor.index, self._now, self._delta
            )
            if self._columns.left.without_flow or not done.all():
                for piece, messages in zip(block, left(rows, done, counts), strict=True):
                    events = [LogEvent(message) for message in messages]
                    self._count_rest(events, piece.lines, piece.log_stream, piece.origin)
            start = end

    @property
    def rows(self) -> int:
        """The number of rows that are missing from the delta until `complete`."""
        return 0 if self._columns is None else self._columns.rows

    def complete(self) -> None:
        """Count all events that wait, and complete the delta."""
        self.flush()
        if self._columns is not None:
            self._columns.move_to(self._delta)

    def forget(self) -> None:
        """Forget the events that wait, and their sums."""
        self._waiting.clear()
        self._events = self._bytes = 0
        self._delta = Delta()
        self.complete()

    def _count_rest(self, events: Sequence[Event], number: int, log_stream: LogStream, origin: PayloadOrigin) -> None:
        """Count the events that columns have left of a number of events; all the others were counted for a subnet."""
        left = None if self._columns is None else self._columns.left
        if left is not None and left.without_flow and len(events) < number:
            tally = self._make_tally(self._delta, log_stream, origin)
            tally.events[outcomes.COUNTED] += number - len(events)
            tally.close(self._now)
        if events:
            self._lines.count(events, self._make_tally(self._delta, log_stream, origin), self._now)


def _blocks(pieces: Iterable[Piece]) -> Iterable[list[Piece]]:
    """Yield pieces that are counted together."""
    block: list[Piece] = []
    lines = 0
    for piece in pieces:
        block.append(piece)
        lines += piece.lines
        if lines >= BLOCK:
            yield block
            block = []
            lines = 0
    if block:
        yield block
