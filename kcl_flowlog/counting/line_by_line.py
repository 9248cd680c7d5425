"""Log events counted line by line: the reference for `columns`, and the way for whatever that does not decide.

Reads each line, finds the place of its record, and adds the event to exactly one outcome of the delta. A bad line never
costs another line. An exception is a fault of this program and must end the process.

Does no I/O; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.flow_record import NODATA, OK, FlowRecord
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.known_interface import UNKNOWN
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.ordinary_lines import OTHER_PORT, REJECT, OrdinaryLines
from kcl_flowlog.counting.subnet_bounds import OTHER_SUBNET
from kcl_flowlog.counting.tally import MakeTally, Tally
from kcl_flowlog.counting.waiting import WaitingRecord, WaitingRecords
from kcl_flowlog.counting.who_of_record import collect
from kcl_flowlog.errors import Malformed, Unsupported


class Denial(NamedTuple):
    """A rejected flow record and its place, and the line that it was read from."""

    record: FlowRecord
    place: Place | None
    line: str = ""
    log_stream: LogStream = NO_LOG_STREAM


class LineByLine:
    """Counts log events into deltas. The arguments are those of `payload.PayloadCounter`."""

    def __init__(
        self,
        formats: Formats,
        attributor: Attributor,
        watched_ports: frozenset[str],
        on_denial: Callable[[Denial], None] | None,
        waiting: WaitingRecords,
        max_unlisted_subnets: int,
        make_tally: MakeTally,
    ) -> None:
        self._formats = formats
        self._attributor = attributor
        self._watched_ports = watched_ports
        self._on_denial = on_denial
        self._waiting = waiting
        self._max_unlisted_subnets = max_unlisted_subnets
        self._make_tally = make_tally
        self._ordinary = OrdinaryLines(formats, attributor, watched_ports, leaves_rejected=on_denial is not None)

    def count(self, events: Sequence[LogEvent | bytes], tally: Tally, now: float) -> None:
        """Count some events of the tally's log stream, whose records are in memory together."""
        records = self._read_events(self._ordinary.count(events, tally), tally)
        if records:
            # All records of an interface together tell its address, so this comes before any of them is placed.
            if self._attributor.learn((record for _, record in records), tally.log_stream):
                self._place_waiting(tally.log_stream, now, tally.delta)
            self._place_records(records, tally)
        tally.close(now)

    def finish(self, now: float, delta: Delta) -> None:
        """Count the records that still wait for their interface."""
        for log_stream in self._waiting.log_streams:
            self._place_waiting(log_stream, now, delta, is_last=True)
        self._ordinary.forget()

    def forget(self) -> None:
        """Forget the waiting records: their delta is not used."""
        self._waiting.clear()
        self._ordinary.forget()

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
            tally.ends.append(record.end)
            if place is None:
                tally.add(outcomes.UNATTRIBUTED, line)
            else:
                tally.events[outcomes.COUNTED] += 1
                self._count_flow(record, place, tally.delta)
            if self._on_denial is not None and record.action == REJECT:
                self._on_denial(Denial(record, place, line, tally.log_stream))

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
        series = tuple.__new__(
            Traffic, (subnet_id, direction, record.action, record.protocol, peer, path, interface_type)
        )
        delta.add_flow(series, record.packets, record.bytes)
        if delta.who is not None:
            ends = record.srcaddr, record.dstaddr, record.pkt_srcaddr, record.pkt_dstaddr
            port = record.dstport
            collect(delta.who, subnet_id, direction, record.action, *ends, record.protocol, port, record.bytes)
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
