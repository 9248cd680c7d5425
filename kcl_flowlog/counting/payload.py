"""One payload in, counts out: the path of every record.

Opens the payload, reads its lines, finds the place of each record, and adds
each event to exactly one outcome of the delta, so that the books balance:
events = counted + nodata + skipdata + malformed + unsupported + unattributed
+ duplicate + ignored. Bad data never raises, and a bad line never costs another line.
An exception is a fault of this program and must end the process.

Does no I/O; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby, islice
from operator import attrgetter
from typing import NamedTuple

from kcl_flowlog.counting import counts, dead_letter, outcomes
from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic
from kcl_flowlog.counting.duplicates import Window, fingerprint
from kcl_flowlog.counting.envelope import CONTROL_MESSAGE, Envelope, LogEvent, OpenedPayload, open_payload
from kcl_flowlog.counting.flow_record import NODATA, OK, FlowRecord
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.known_interface import UNKNOWN
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET
from kcl_flowlog.counting.tally import Tally
from kcl_flowlog.counting.unpacking import BASE64, GZIP, PLAIN
from kcl_flowlog.counting.waiting import WaitingRecord, WaitingRecords
from kcl_flowlog.errors import Malformed, Unsupported

# Most events whose records are in memory at a time. Interfaces are learned from this many records together.
_EVENTS_AT_A_TIME = 4096

OTHER_PORT = "other"
REJECT = "reject"

_OUTCOME_OF_FORM = {GZIP: outcomes.DATA, PLAIN: outcomes.PLAIN, BASE64: outcomes.BASE64}


class Denial(NamedTuple):
    """A rejected flow record and its place."""

    record: FlowRecord
    place: Place | None


class PayloadCounter:
    """Counts payloads into deltas.

    `watched_ports` are counted by number when rejected, the others together.
    `payload_limit` is the largest text of a payload in bytes. `window` holds
    the latest envelopes, to recognise a second delivery; without it, each
    delivery counts. At most `max_unlisted_subnets` subnets that the inventory
    does not list are counted apart in one delta. Events of a log group that
    `log_groups` does not have are ignored. `make_tally` makes the tally of an
    envelope, for who wants to see each outcome.
    """

    def __init__(
        self,
        formats: Formats,
        attributor: Attributor,
        watched_ports: frozenset[str],
        payload_limit: int,
        on_denial: Callable[[Denial], None] | None = None,
        window: Window | None = None,
        waiting: WaitingRecords | None = None,
        max_unlisted_subnets: int = 1000,
        log_groups: LogGroups | None = None,
        make_tally: Callable[[Delta, LogStream, PayloadOrigin], Tally] = Tally,
    ) -> None:
        self._formats = formats
        self._attributor = attributor
        self._watched_ports = watched_ports
        self._payload_limit = payload_limit
        self._on_denial = on_denial
        self._window = window
        self._waiting = WaitingRecords() if waiting is None else waiting
        self._max_unlisted_subnets = max_unlisted_subnets
        self._log_groups = LogGroups() if log_groups is None else log_groups
        self._make_tally = make_tally

    def count(self, payload: bytes, origin: PayloadOrigin, now: float, delta: Delta) -> str:
        """Count one payload, processed at `now` (Unix seconds), into `delta`; return its outcome."""
        try:
            opened = open_payload(payload, self._payload_limit)
        except Malformed as bad:
            delta.add(counts.PAYLOADS, outcomes.MALFORMED)
            _add_malformed(payload, bad.reason, origin, delta)
            return outcomes.MALFORMED
        found = {self._count_envelope(envelope, origin, now, delta) for envelope in opened.envelopes}
        outcome = _payload_outcome(opened, found)
        delta.add(counts.PAYLOADS, outcome)
        for part in opened.unreadable:
            _add_malformed(part.data, part.reason, origin, delta)
        return outcome

    def quarantine(self, payload: bytes, origin: PayloadOrigin, delta: Delta) -> None:
        """Skip a payload that kills the processors that count it, and keep all of it as a dead letter."""
        delta.add(counts.PAYLOADS, outcomes.MALFORMED)
        _add_malformed(payload, "payload_poison", origin, delta, is_whole=True)

    def count_events(
        self, log_stream: LogStream, events: Iterable[LogEvent | bytes], origin: PayloadOrigin, now: float, delta: Delta
    ) -> None:
        """Count the events of a log stream; an event without a text message is its raw JSON."""
        if not self._log_groups.has(log_stream.log_group):
            tally = self._make_tally(delta, log_stream, origin)
            tally.events[outcomes.IGNORED] += sum(1 for _ in events)
            tally.close(now)
            return
        rest = iter(events)
        while some := list(islice(rest, _EVENTS_AT_A_TIME)):
            self._count_some(some, self._make_tally(delta, log_stream, origin), now)

    def finish(self, now: float, delta: Delta) -> None:
        """Count the records that still wait for their interface, and complete `delta`. Call it before that is used."""
        for log_stream in self._waiting.log_streams:
            self._place_waiting(log_stream, now, delta, is_last=True)
        subnet_ids = dict.fromkeys(series.subnet_id for series in delta.traffic)
        delta.listed_subnets = [name for name in subnet_ids if self._attributor.index.lists_subnet(name)]

    def forget(self) -> None:
        """Forget the waiting records: their delta is not used."""
        self._waiting.clear()

    def _count_envelope(self, envelope: Envelope, origin: PayloadOrigin, now: float, delta: Delta) -> str:
        """Count an envelope; return `DATA`, `CONTROL` or `DUPLICATE`."""
        if envelope.message_type == CONTROL_MESSAGE:
            return outcomes.CONTROL
        # An envelope that is ignored anyway needs no fingerprint.
        if self._log_groups.has(envelope.log_stream.log_group) and self._is_duplicate(envelope, delta):
            tally = self._make_tally(delta, envelope.log_stream, origin)
            tally.events[outcomes.DUPLICATE] += len(envelope.events)
            tally.close(now)
            return outcomes.DUPLICATE
        self.count_events(envelope.log_stream, envelope.events, origin, now, delta)
        return outcomes.DATA

    def _is_duplicate(self, envelope: Envelope, delta: Delta) -> bool:
        """Tell whether an envelope was counted before; add the fingerprint of a new envelope to the delta."""
        if self._window is None:
            return False
        events = [event for event in envelope.events if isinstance(event, LogEvent) and event.id]
        if not events or len(events) != len(envelope.events):
            return False
        ids, messages = [event.id for event in events], [event.message for event in events]
        digest = fingerprint(envelope.log_stream, ids, messages)
        if not self._window.add(digest):
            return True
        delta.fingerprints.append(digest)
        return False

    def _count_some(self, events: list[LogEvent | bytes], tally: Tally, now: float) -> None:
        records = self._read_events(events, tally)
        # All records of an interface together tell its address, so this comes before any of them is placed.
        if self._attributor.learn((record for _, record in records), tally.log_stream):
            self._place_waiting(tally.log_stream, now, tally.delta)
        self._place_records(records, tally)
        tally.close(now)

    def _read_events(self, events: Iterable[LogEvent | bytes], tally: Tally) -> list[tuple[str, FlowRecord]]:
        """Return the flow records among the events, each with its line; the tally counts the other events."""
        read = self._formats.reader(tally.log_stream, self._attributor.index).read
        records = []
        for event in events:
            if not isinstance(event, LogEvent):
                tally.add_malformed_event(event, "not_text")
                continue
            line = event.message
            try:
                record = read(line)
            except Malformed as bad:
                tally.add_malformed(line, bad.reason)
                continue
            except Unsupported:
                tally.add(outcomes.UNSUPPORTED, line)
                continue
            if record.log_status == OK:
                records.append((line, record))
            else:
                tally.add(outcomes.NODATA if record.log_status == NODATA else outcomes.SKIPDATA, line)
        return records

    def _place_records(self, records: Iterable[tuple[str, FlowRecord]], tally: Tally, is_last: bool = False) -> None:
        """Count records for their places; unless `is_last`, a record may wait for its interface to be known."""
        for line, record in records:
            try:
                place = self._attributor.locate(record, tally.log_stream)
            except Malformed as bad:
                tally.add_malformed(line, bad.reason)
                continue
            is_placed = place is not None and place.direction != UNKNOWN
            if not is_placed and not is_last and self._may_wait(record, tally.log_stream):
                self._waiting.add(tally.log_stream, WaitingRecord(tally.origin, line, record))
                continue
            tally.ends[record.end] += 1
            if place is None:
                tally.add(outcomes.UNATTRIBUTED, line)
            else:
                tally.events[outcomes.COUNTED] += 1
                self._count_flow(record, place, tally.delta)
            if self._on_denial is not None and record.action == REJECT:
                self._on_denial(Denial(record, place))

    def _may_wait(self, record: FlowRecord, log_stream: LogStream) -> bool:
        return not self._waiting.is_full and self._attributor.is_undecided(record, log_stream)

    def _place_waiting(self, log_stream: LogStream, now: float, delta: Delta, is_last: bool = False) -> None:
        """Try to place the waiting records of a log stream; a record that still has no place waits again."""
        for origin, group in groupby(self._waiting.take(log_stream), attrgetter("origin")):
            tally = self._make_tally(delta, log_stream, origin)
            self._place_records([(waiting.line, waiting.record) for waiting in group], tally, is_last)
            tally.close(now)

    def _count_flow(self, record: FlowRecord, place: Place, delta: Delta) -> None:
        subnet_id = place.subnet_id if self._has_room_for(place.subnet_id, delta) else OTHER_SUBNET
        _, direction, peer, path, interface_type = place
        # As `Traffic(…)`, which is slower.
        labels = (subnet_id, direction, record.action, record.protocol, peer, path, interface_type)
        series = tuple.__new__(Traffic, labels)
        delta.add_flow(series, record.packets, record.bytes)
        if record.action == REJECT:
            port = record.dstport if record.dstport in self._watched_ports else OTHER_PORT
            delta.rejected_ports[RejectedPort(subnet_id, direction, record.protocol, port)] += 1

    def _has_room_for(self, subnet_id: str, delta: Delta) -> bool:
        """Tell whether a delta may count a subnet apart: one payload may name half a million made-up subnets."""
        unlisted = delta.unlisted_subnets
        if self._attributor.index.lists_subnet(subnet_id) or subnet_id in unlisted:
            return True
        if len(unlisted) >= self._max_unlisted_subnets:
            return False
        unlisted.add(subnet_id)
        return True


def _payload_outcome(opened: OpenedPayload, found: set[str]) -> str:
    """Return the outcome of a payload in which envelopes of these outcomes were found."""
    if opened.unreadable:
        return outcomes.PARTIAL
    if outcomes.DATA in found:
        return _OUTCOME_OF_FORM[opened.form]
    return outcomes.DUPLICATE if outcomes.DUPLICATE in found else outcomes.CONTROL


def _add_malformed(data: bytes, reason: str, origin: PayloadOrigin, delta: Delta, is_whole: bool = False) -> None:
    """Count a bad payload, and keep its start; or all of it, however many dead letters the delta has."""
    delta.add(counts.MALFORMED, reason)
    delta.add_dead_letter(dead_letter.from_payload(data, reason, origin, is_whole), even_if_full=is_whole)
