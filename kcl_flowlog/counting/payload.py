"""Payloads in, counts out: the path of every record.

Opens each payload, skips a second delivery, and has its events counted: as columns as far as these can decide them,
else line by line. Each event is added to exactly one outcome of the delta, so that the books balance: events = counted
+ nodata + skipdata + malformed + unsupported + unattributed + duplicate + ignored. Bad data never raises. An exception
is a fault of this program and must end the process.

Small payloads are counted together, so the counts of a payload may be missing from its delta until `flush`.
Does no I/O; the time is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter

from kcl_flowlog.counting import counts, dead_letter, outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.columns.counter import MIN_LINES, ColumnCounter, Left
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Checksum, Window, fingerprint
from kcl_flowlog.counting.envelope import (
    CONTROL_MESSAGE,
    Envelope,
    LogEvent,
    OpenedPayload,
    open_text,
)
from kcl_flowlog.counting.events import AT_A_TIME, EventCounter, Piece
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.line_by_line import Denial, LineByLine
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.ordinary_lines import OTHER_PORT
from kcl_flowlog.counting.positions import PayloadOrigin
from kcl_flowlog.counting.tally import MakeTally, Tally
from kcl_flowlog.counting.unpacking import BASE64, GZIP, PLAIN, Unpacked, unpack
from kcl_flowlog.counting.unread_envelopes import UnreadEnvelopes
from kcl_flowlog.counting.waiting import WaitingRecords
from kcl_flowlog.errors import Malformed

# Delays are counted as of a multiple of this fraction of a second, so that their sum is exact, in whatever order.
_FRACTIONS = 64
_OUTCOME_OF_FORM = {GZIP: outcomes.DATA, PLAIN: outcomes.PLAIN, BASE64: outcomes.BASE64}


class PayloadCounter:
    """Counts payloads into deltas.

    `watched_ports` are counted by number when rejected, the others together.
    `payload_limit` is the largest text of a payload in bytes. `window` holds
    the latest envelopes, to recognise a second delivery; without it, each
    delivery counts. At most `max_unlisted_subnets` subnets that the inventory
    does not list are counted apart in one delta. Events of a log group that
    `log_groups` does not have are ignored. `make_tally` makes the tally of an
    envelope, for who wants to see each outcome. Blocks of fewer than
    `min_column_lines` lines are counted line by line; None for all.

    A payload that is added is counted by the next `flush` at the latest; until
    then, use the same delta.
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
        make_tally: MakeTally = Tally,
        min_column_lines: int | None = MIN_LINES,
    ) -> None:
        # long because it puts all parts together.
        self._attributor = attributor
        self._payload_limit = payload_limit
        self._window = window
        self._log_groups = LogGroups() if log_groups is None else log_groups
        waiting = WaitingRecords() if waiting is None else waiting
        self._lines = LineByLine(
            formats, attributor, watched_ports, on_denial, waiting, max_unlisted_subnets, make_tally
        )
        columns = self._unread = None
        if min_column_lines is not None:
            # Denials are to be in the order of their lines, among those of lines that are read alone.
            left = Left(rejected=on_denial is not None, without_flow=make_tally is not Tally)
            columns = ColumnCounter(formats, watched_ports, OTHER_PORT, left, min_column_lines)
            self._unread = UnreadEnvelopes(columns, self._log_groups, payload_limit)
        self._events = EventCounter(attributor, self._lines, columns, make_tally)
        self._make_tally = make_tally
        # As it was given, and as records are counted.
        self._given_now = self._now = 0.0
        self._delta = Delta()
        # Of the last payload.
        self._outcome = ""

    def count(self, payload: bytes, origin: PayloadOrigin, now: float, delta: Delta) -> str:
        """Count one payload, processed at `now` (Unix seconds), into `delta`; return its outcome."""
        self.add(payload, origin, now, delta)
        self.flush()
        self._events.complete()
        return self._outcome

    def add(self, payload: bytes, origin: PayloadOrigin, now: float, delta: Delta) -> None:
        """Count one payload, now or together with further payloads."""
        self._use(now, delta)
        try:
            unpacked = unpack(payload, self._payload_limit)
        except Malformed as bad:
            self._count_malformed_payload(payload, bad.reason, origin)
            return
        candidate = None if self._unread is None else self._unread.peek(unpacked, self._attributor.index)
        if self._unread is None or candidate is None:
            self._count_unread()
            self._add_unpacked(payload, unpacked, origin)
            return
        if not self._unread.fits(candidate):
            self._count_unread()
            self._events.flush()
        self._unread.add(candidate, payload, unpacked.form, origin)

    def flush(self) -> None:
        """Count all payloads that were added. Their sums by series may be missing from the delta until `finish`."""
        self._count_unread()
        self._events.flush()

    @property
    def rows(self) -> int:
        """At most as many rows of the delta are missing from it until `finish`."""
        return self._events.rows

    def quarantine(self, payload: bytes, origin: PayloadOrigin, delta: Delta) -> None:
        """Skip a payload that kills the processors that count it, and keep all of it as a dead letter."""
        self._use(self._now, delta)
        delta.add(counts.PAYLOADS, outcomes.MALFORMED)
        self._add_malformed(payload, "payload_poison", origin, is_whole=True)

    def count_events(
        self, log_stream: LogStream, events: Iterable[LogEvent | bytes], origin: PayloadOrigin, now: float, delta: Delta
    ) -> None:
        """Count the events of a log stream; an event without a text message is its raw JSON."""
        self._use(now, delta)
        self._count_unread()
        self._add_events(log_stream, events, None, origin)
        self._events.complete()

    def finish(self, now: float, delta: Delta) -> None:
        """Count the records that still wait for their interface, and complete `delta`. Call it before that is used."""
        self._use(now, delta)
        self.flush()
        self._events.complete()
        self._lines.finish(self._now, delta)
        subnet_ids = dict.fromkeys(map(itemgetter(0), delta.traffic))
        delta.listed_subnets = [name for name in subnet_ids if self._attributor.index.lists_subnet(name)]

    def forget(self) -> None:
        """Forget what was added, and the records that wait for their interface: their delta is not used."""
        if self._unread is not None:
            self._unread.clear()
        self._events.forget()
        self._lines.forget()

    def _use(self, now: float, delta: Delta) -> None:
        """Count what follows as of `now`, into `delta`."""
        if delta is self._delta and now == self._given_now:
            return
        self._given_now = now
        now = round(now * _FRACTIONS) / _FRACTIONS
        if delta is not self._delta or now != self._now:
            self.flush()
            if delta is not self._delta:
                self._events.complete()
            self._now, self._delta = now, delta
            self._events.use(now, delta)

    def _count_unread(self) -> None:
        """Count the envelopes that were not decoded, or decode them."""
        taken = None if self._unread is None else self._unread.take()
        if taken is None:
            return
        found = taken.lines
        if found is None:
            for each in taken.envelopes:
                self._add_unpacked(each.payload, unpack(each.payload, self._payload_limit), each.origin)
            return
        pieces: list[Piece] = []
        are_new: list[bool] = []
        for each, number, ids in zip(taken.envelopes, found.counts, found.outer_ids(), strict=True):
            log_stream, origin = each.log_stream, each.origin
            is_new = not self._is_duplicate(log_stream, *ids, number, each.checksum)
            are_new.append(is_new)
            self._count_payload(_OUTCOME_OF_FORM[each.form] if is_new else outcomes.DUPLICATE)
            if not is_new:
                self._count_all(outcomes.DUPLICATE, number, log_stream, origin)
            elif number <= AT_A_TIME:
                pieces.append(Piece(log_stream, number, origin))
            else:
                sizes = [min(AT_A_TIME, number - at) for at in range(0, number, AT_A_TIME)]
                pieces += [Piece(log_stream, size, origin) for size in sizes]
        self._events.count_lines(found.lines_of(are_new), taken.fields, pieces)

    def _add_unpacked(self, payload: bytes, unpacked: Unpacked, origin: PayloadOrigin) -> None:
        try:
            opened = open_text(unpacked, self._payload_limit)
        except Malformed as bad:
            self._count_malformed_payload(payload, bad.reason, origin)
            return
        found = {self._add_envelope(envelope, opened.size, origin) for envelope in opened.envelopes}
        self._count_payload(_payload_outcome(opened, found))
        for part in opened.unreadable:
            self._add_malformed(part.data, part.reason, origin)

    def _add_envelope(self, envelope: Envelope, size: int, origin: PayloadOrigin) -> str:
        """Count an envelope; return `DATA`, `CONTROL` or `DUPLICATE`."""
        if envelope.message_type == CONTROL_MESSAGE:
            return outcomes.CONTROL
        log_stream, events = envelope.log_stream, envelope.events
        # An envelope that is ignored anyway needs no fingerprint.
        is_read = self._log_groups.has(log_stream.log_group)
        ids, text = envelope.outer_ids, envelope.checksum
        if is_read and ids and text and self._is_duplicate(log_stream, *ids, len(events), text):
            self._count_all(outcomes.DUPLICATE, len(events), log_stream, origin)
            return outcomes.DUPLICATE
        self._add_events(log_stream, events, size, origin)
        return outcomes.DATA

    def _add_events(
        self, log_stream: LogStream, events: Iterable[LogEvent | bytes], size: int | None, origin: PayloadOrigin
    ) -> None:
        if self._log_groups.has(log_stream.log_group):
            self._events.add(log_stream, events, size, origin)
        else:
            self._count_all(outcomes.IGNORED, sum(1 for _ in events), log_stream, origin)

    def _is_duplicate(self, log_stream: LogStream, first_id: str, last_id: str, events: int, text: Checksum) -> bool:
        """Tell whether an envelope was counted before; add the fingerprint of a new envelope to the delta."""
        if self._window is None:
            return False
        digest = fingerprint(log_stream, first_id, last_id, events, text)
        if not self._window.add(digest):
            return True
        self._delta.fingerprints.append(digest)
        return False

    def _count_payload(self, outcome: str) -> None:
        self._delta.add(counts.PAYLOADS, outcome)
        self._outcome = outcome

    def _count_all(self, outcome: str, number: int, log_stream: LogStream, origin: PayloadOrigin) -> None:
        """Count events that are not read."""
        tally = self._make_tally(self._delta, log_stream, origin)
        tally.events[outcome] += number
        tally.close(self._now)

    def _count_malformed_payload(self, payload: bytes, reason: str, origin: PayloadOrigin) -> None:
        self._count_unread()
        self._count_payload(outcomes.MALFORMED)
        self._add_malformed(payload, reason, origin)

    def _add_malformed(self, data: bytes, reason: str, origin: PayloadOrigin, is_whole: bool = False) -> None:
        """Count a bad payload, and keep its start; or all of it, however many dead letters the delta has."""
        # Dead letters are in the order of their payloads.
        self._events.flush()
        self._delta.add(counts.MALFORMED, reason)
        self._delta.add_dead_letter(dead_letter.from_payload(data, reason, origin, is_whole), even_if_full=is_whole)


def _payload_outcome(opened: OpenedPayload, found: set[str]) -> str:
    """Return the outcome of a payload in which envelopes of these outcomes were found."""
    if opened.unreadable:
        return outcomes.PARTIAL
    if outcomes.DATA in found:
        return _OUTCOME_OF_FORM[opened.form]
    return outcomes.DUPLICATE if outcomes.DUPLICATE in found else outcomes.CONTROL
