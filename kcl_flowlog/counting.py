"""One payload in, counts out: the path that every record takes.

Opens the payload, parses its lines, finds their place, and adds each event to
exactly one outcome of the delta, so that the books balance: events in =
counted + nodata + skipdata + malformed + unsupported + unattributed. No bad
data raises out of here, and no bad line costs the lines beside it. Anything
that does raise is a fault of ours, and must end the process.

Does no I/O; time arrives as a number.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kcl_flowlog import counters, outcomes
from kcl_flowlog.attribution import Attributor, Place
from kcl_flowlog.counters import DeadLetter, Delta, RejectedPort, Traffic
from kcl_flowlog.envelope import CONTROL_MESSAGE, open_payload
from kcl_flowlog.errors import Malformed
from kcl_flowlog.flowlog import NODATA, OK, FlowRecord, Format
from kcl_flowlog.positions import Position

OTHER_PORT = "other"
REJECT = "reject"

# A dead letter keeps this much of what was bad; a payload's start tells what it is, a whole line can be replayed.
_LETTER_BYTES = 4096


class Source(NamedTuple):
    """Where a payload comes from, for its dead letters."""

    shard_id: str
    position: Position


class Denial(NamedTuple):
    """A rejected flow record and its place."""

    record: FlowRecord
    place: Place | None


class PayloadCounter:
    """Counts payloads into deltas, by one format and one attributor."""

    def __init__(
        self,
        line_format: Format,
        attributor: Attributor,
        watched_ports: frozenset[str],
        payload_limit: int,
        on_denial: Callable[[Denial], None] | None = None,
    ) -> None:
        self._parse = line_format.parse
        self._attributor = attributor
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._on_denial = on_denial

    def count(self, payload: bytes, source: Source, now: float, delta: Delta) -> None:
        """Count one payload, processed at `now` (Unix seconds), into `delta`."""
        try:
            envelope = open_payload(payload, self._payload_limit)
        except Malformed as bad:
            delta.add(counters.PAYLOADS, outcomes.MALFORMED)
            delta.add(counters.MALFORMED, bad.reason)
            delta.bury(_dead_payload(payload, source, bad.reason))
            return
        if envelope.message_type == CONTROL_MESSAGE:
            delta.add(counters.PAYLOADS, outcomes.CONTROL)
            return
        delta.add(counters.PAYLOADS, outcomes.DATA)
        tally = _Tally(delta, envelope.log_stream, source)
        records = self._parse_lines(envelope.messages, tally)
        # All records of an interface together tell its own address, so this comes before any of them is placed.
        self._attributor.learn((record for _, record in records), envelope.log_stream)
        self._place_records(records, envelope.log_stream, tally)
        tally.close(now)

    def _parse_lines(self, lines: Iterable[str | None], tally: _Tally) -> list[tuple[str, FlowRecord]]:
        """Return the flow records among the lines, each with its line; the tally takes the rest."""
        records = []
        for line in lines:
            if line is None:
                tally.bury("", "not_text")
                continue
            try:
                record = self._parse(line)
            except Malformed as bad:
                tally.bury(line, bad.reason)
                continue
            if record.status == OK:
                records.append((line, record))
            else:
                tally.events[outcomes.NODATA if record.status == NODATA else outcomes.SKIPDATA] += 1
        return records

    def _place_records(self, records: Iterable[tuple[str, FlowRecord]], log_stream: str, tally: _Tally) -> None:
        for line, record in records:
            try:
                place = self._attributor.locate(record, log_stream)
            except Malformed as bad:
                tally.bury(line, bad.reason)
                continue
            tally.ends[record.end] += 1
            if place is None:
                tally.events[outcomes.UNATTRIBUTED] += 1
            else:
                tally.events[outcomes.COUNTED] += 1
                self._count_flow(record, place, tally.delta)
            if self._on_denial is not None and record.action == REJECT:
                self._on_denial(Denial(record, place))

    def _count_flow(self, record: FlowRecord, place: Place, delta: Delta) -> None:
        series = Traffic(place.subnet_id, place.direction, record.action, record.protocol, place.peer)
        delta.add_flow(series, record.packets, record.bytes)
        if record.action == REJECT:
            port = record.dstport if record.dstport in self._watched_ports else OTHER_PORT
            delta.rejected_ports[RejectedPort(place.subnet_id, place.direction, record.protocol, port)] += 1


class _Tally:
    """What the events of one envelope come to, besides their traffic; `close` adds it to the delta."""

    def __init__(self, delta: Delta, log_stream: str, source: Source) -> None:
        self.delta = delta
        self.events: Counter[str] = Counter()
        self.ends: Counter[int] = Counter()
        self._log_stream = log_stream
        self._source = source

    def bury(self, line: str, reason: str) -> None:
        self.events[outcomes.MALFORMED] += 1
        self.delta.add(counters.MALFORMED, reason)
        self.delta.bury(_dead_line(line, self._log_stream, self._source, reason))

    def close(self, now: float) -> None:
        for outcome, number in self.events.items():
            self.delta.add(counters.EVENTS, outcome, number)
        for end, times in self.ends.items():
            if end:
                self.delta.observe(counters.EVENT_DELAY, max(0.0, now - end), times)


def _dead_payload(payload: bytes, source: Source, reason: str) -> DeadLetter:
    body = base64.b64encode(payload[:_LETTER_BYTES]).decode("ascii")
    return _dead("payload", body, "", len(payload) > _LETTER_BYTES, source, reason)


def _dead_line(line: str, log_stream: str, source: Source, reason: str) -> DeadLetter:
    return _dead("line", line[:_LETTER_BYTES], log_stream[:512], len(line) > _LETTER_BYTES, source, reason)


def _dead(kind: str, body: str, log_stream: str, truncated: bool, source: Source, reason: str) -> DeadLetter:
    sequence, sub_sequence = source.position
    return DeadLetter(source.shard_id, sequence, sub_sequence, reason, kind, body, log_stream, truncated)
