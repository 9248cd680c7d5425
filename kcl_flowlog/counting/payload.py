"""One payload in, counts out: the path that every record takes.

Opens the payload, reads its lines, finds their place, and adds each event to
exactly one outcome of the delta, so that the books balance: events in =
counted + nodata + skipdata + malformed + unsupported + unattributed +
duplicate. No bad data raises out of here, and no bad line costs the lines
beside it. Anything that does raise is a fault of ours, and must end the
process.

Does no I/O; time arrives as a number.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.delta import DeadLetter, Delta, RejectedPort, Traffic
from kcl_flowlog.counting.duplicates import Window, fingerprint
from kcl_flowlog.counting.envelope import (
    BASE64,
    CONTROL_MESSAGE,
    GZIP,
    LARGEST_RECORD,
    PLAIN,
    Envelope,
    LogEvent,
    Opened,
    open_payload,
)
from kcl_flowlog.counting.flow_record import NODATA, OK, FlowRecord
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.log_stream import NOWHERE, LogStream
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnets import UNKNOWN
from kcl_flowlog.errors import Malformed, Unsupported

OTHER_PORT = "other"
REJECT = "reject"

# A dead letter keeps this much of what was bad; a payload's start tells what it is, a whole line can be replayed.
_LETTER_BYTES = 4096
_LONGEST_NAME = 512
# Records that wait until more is known of their interface: some megabytes.
_MOST_WAITING = 10_000


class PayloadOrigin(NamedTuple):
    """Where a payload comes from, for its dead letters."""

    shard_id: str
    position: Position


class Denial(NamedTuple):
    """A rejected flow record and its place."""

    record: FlowRecord
    place: Place | None


class PayloadCounter:
    """Counts payloads into deltas, by the formats and the attributor it is given.

    `window` holds what was counted before, to recognise what is delivered
    again; None counts everything.
    """

    def __init__(
        self,
        formats: Formats,
        attributor: Attributor,
        watched_ports: frozenset[str],
        payload_limit: int,
        on_denial: Callable[[Denial], None] | None = None,
        window: Window | None = None,
    ) -> None:
        self._formats = formats
        self._attributor = attributor
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._on_denial = on_denial
        self._window = window
        # Records of interfaces that are not known well enough yet, by their log stream.
        self._waiting: dict[LogStream, list[_Waiting]] = {}
        self._number_waiting = 0

    def count(self, payload: bytes, source: PayloadOrigin, now: float, delta: Delta) -> None:
        """Count one payload, processed at `now` (Unix seconds), into `delta`."""
        try:
            opened = open_payload(payload, self._payload_limit)
        except Malformed as bad:
            delta.add(counts.PAYLOADS, outcomes.MALFORMED)
            _bury_payload(payload, bad.reason, source, delta)
            return
        kinds = {self._count_envelope(envelope, source, now, delta) for envelope in opened.envelopes}
        delta.add(counts.PAYLOADS, _payload_outcome(opened, kinds))
        for rest in opened.rests:
            _bury_payload(rest.data, rest.reason, source, delta)

    def quarantine(self, payload: bytes, source: PayloadOrigin, delta: Delta) -> None:
        """Pass over a payload that kills whoever counts it; all of it is kept, to be looked at."""
        delta.add(counts.PAYLOADS, outcomes.MALFORMED)
        _bury_payload(payload, "payload_poison", source, delta, whole=True)

    def count_events(
        self, stream: LogStream, events: Iterable[LogEvent | bytes], source: PayloadOrigin, now: float, delta: Delta
    ) -> None:
        """Count the events of one log stream; one that has no text message is its raw JSON."""
        tally = _Tally(delta, stream, source)
        records = self._read_events(events, tally)
        # All records of an interface together tell its own address, so this comes before any of them is placed.
        if self._attributor.learn((record for _, record in records), stream) and self._waiting:
            self._place_waiting(stream, now, delta)
        self._place_records(records, tally)
        tally.close(now)

    def finish(self, now: float, delta: Delta) -> None:
        """Count what still waits for its interface to be known better. To be called before `delta` is used."""
        for stream in list(self._waiting):
            self._place_waiting(stream, now, delta, is_last=True)

    def forget(self) -> None:
        """Forget what waits: the delta that it belongs to is not used."""
        self._waiting.clear()
        self._number_waiting = 0

    def _place_waiting(self, stream: LogStream, now: float, delta: Delta, is_last: bool = False) -> None:
        waiting = self._waiting.pop(stream, [])
        self._number_waiting -= len(waiting)
        for source, several in groupby(waiting, attrgetter("source")):
            tally = _Tally(delta, stream, source)
            self._place_records([(one.line, one.record) for one in several], tally, is_last)
            tally.close(now)

    def _waits(self, line: str, record: FlowRecord, tally: _Tally) -> bool:
        """Let a record wait, if it makes sense and there is room."""
        if self._number_waiting >= _MOST_WAITING or not self._attributor.is_undecided(record, tally.stream):
            return False
        self._waiting.setdefault(tally.stream, []).append(_Waiting(tally.source, line, record))
        self._number_waiting += 1
        return True

    def _count_envelope(self, envelope: Envelope, source: PayloadOrigin, now: float, delta: Delta) -> str:
        """Count an envelope; return `DATA`, `CONTROL` or `DUPLICATE`."""
        if envelope.message_type == CONTROL_MESSAGE:
            return outcomes.CONTROL
        if self._is_known(envelope, delta):
            delta.add(counts.EVENTS, outcomes.DUPLICATE, len(envelope.events))
            return outcomes.DUPLICATE
        self.count_events(envelope.stream, envelope.events, source, now, delta)
        return outcomes.DATA

    def _is_known(self, envelope: Envelope, delta: Delta) -> bool:
        if self._window is None:
            return False
        events = [event for event in envelope.events if isinstance(event, LogEvent) and event.id]
        if not events or len(events) != len(envelope.events):
            return False
        one = fingerprint(envelope.stream, [event.id for event in events], [event.message for event in events])
        if not self._window.add(one):
            return True
        delta.fingerprints.append(one)
        return False

    def _read_events(self, events: Iterable[LogEvent | bytes], tally: _Tally) -> list[tuple[str, FlowRecord]]:
        """Return the flow records among the events, each with its line; the tally takes the rest."""
        read = self._formats.reader(tally.stream, self._attributor.index).read
        records = []
        for event in events:
            if not isinstance(event, LogEvent):
                tally.bury(bytes(event).decode(errors="replace"), "not_text", "event")
                continue
            line = event.message
            try:
                record = read(line)
            except Malformed as bad:
                tally.bury(line, bad.reason)
                continue
            except Unsupported:
                tally.events[outcomes.UNSUPPORTED] += 1
                continue
            if record.status == OK:
                records.append((line, record))
            else:
                tally.events[outcomes.NODATA if record.status == NODATA else outcomes.SKIPDATA] += 1
        return records

    def _place_records(self, records: Iterable[tuple[str, FlowRecord]], tally: _Tally, is_last: bool = False) -> None:
        for line, record in records:
            try:
                place = self._attributor.locate(record, tally.stream)
            except Malformed as bad:
                tally.bury(line, bad.reason)
                continue
            is_known = place is not None and place.direction != UNKNOWN
            if not is_known and not is_last and self._waits(line, record, tally):
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


class _Waiting(NamedTuple):
    source: PayloadOrigin
    line: str
    record: FlowRecord


class _Tally:
    """What the events of one envelope come to, besides their traffic; `close` adds it to the delta."""

    def __init__(self, delta: Delta, stream: LogStream, source: PayloadOrigin) -> None:
        self.delta = delta
        self.stream = stream
        self.events: Counter[str] = Counter()
        self.ends: Counter[int] = Counter()
        self.source = source

    def bury(self, text: str, reason: str, kind: str = "line") -> None:
        self.events[outcomes.MALFORMED] += 1
        self.delta.add(counts.MALFORMED, reason)
        self.delta.bury(_dead(kind, text[:_LETTER_BYTES], len(text) > _LETTER_BYTES, reason, self.source, self.stream))

    def close(self, now: float) -> None:
        for outcome, number in self.events.items():
            self.delta.add(counts.EVENTS, outcome, number)
        for end, times in self.ends.items():
            if end:
                self.delta.observe(counts.EVENT_DELAY, max(0.0, now - end), times)


_FORMS = {GZIP: outcomes.DATA, PLAIN: outcomes.PLAIN, BASE64: outcomes.BASE64}


def _payload_outcome(opened: Opened, kinds: set[str]) -> str:
    """Return the one outcome of a payload whose envelopes were of these kinds."""
    if opened.rests:
        return outcomes.PARTIAL
    if outcomes.DATA in kinds:
        return _FORMS[opened.form]
    return outcomes.DUPLICATE if outcomes.DUPLICATE in kinds else outcomes.CONTROL


def _bury_payload(payload: bytes, reason: str, source: PayloadOrigin, delta: Delta, whole: bool = False) -> None:
    """Count a bad payload and keep its first bytes; or `whole`, and whatever else this commit keeps."""
    most = LARGEST_RECORD if whole else _LETTER_BYTES
    delta.add(counts.MALFORMED, reason)
    body = base64.b64encode(payload[:most]).decode("ascii")
    delta.bury(_dead("payload", body, len(payload) > most, reason, source, NOWHERE), for_sure=whole)


def _dead(kind: str, body: str, truncated: bool, reason: str, source: PayloadOrigin, stream: LogStream) -> DeadLetter:
    sequence, sub_sequence = source.position
    owner, log_group, log_stream = (name[:_LONGEST_NAME] for name in stream)
    return DeadLetter(
        source.shard_id,
        sequence,
        sub_sequence,
        reason,
        kind,
        body,
        owner=owner,
        log_group=log_group,
        log_stream=log_stream,
        truncated=truncated,
    )
