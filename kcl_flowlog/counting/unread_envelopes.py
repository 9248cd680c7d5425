"""Envelopes whose events may be counted without decoding them, waiting to be counted together.

Takes the envelopes of payloads that look as CloudWatch Logs writes them. Whether their events really do shows only when
their lines are looked for; if not, all must be decoded.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from kcl_flowlog.counting.columns.counter import ColumnCounter
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.json_lines import JsonLines, JsonReader
from kcl_flowlog.counting.duplicates import Checksum
from kcl_flowlog.counting.envelope import UnreadEnvelope, peek
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.positions import PayloadOrigin
from kcl_flowlog.counting.unpacking import Unpacked

# The events of a larger text, or one that takes a larger part of the limit, are decoded: that takes less memory.
_MAX_BYTES = 8 * 1024 * 1024
_MAX_PART = 4
# Most bytes of events that are counted together; they have up to ten thousand lines, which share the calls of numpy.
_MAX_TOGETHER = 2_300_000


Candidate = tuple[UnreadEnvelope, Fields]
"""An envelope that may be counted without decoding its events, and the fields of its lines."""


class Unread(msgspec.Struct, frozen=True, gc=False):
    """What is kept of an envelope, and its payload, of which `form` is that of `Unpacked`."""

    log_stream: LogStream
    checksum: Checksum
    payload: bytes
    form: str
    origin: PayloadOrigin


class Taken(NamedTuple):
    """Envelopes that waited, the fields of their lines, and the lines; None if the events must be decoded."""

    envelopes: list[Unread]
    fields: Fields
    lines: JsonLines | None


class UnreadEnvelopes:
    """The waiting envelopes; all have lines of the same format."""

    def __init__(self, columns: ColumnCounter, log_groups: LogGroups, payload_limit: int) -> None:
        self._columns = columns
        self._log_groups = log_groups
        self._max_bytes = min(_MAX_BYTES, payload_limit // _MAX_PART)
        self._json = JsonReader()
        self._waiting: list[Unread] = []
        self._fields: Fields | None = None

    def peek(self, unpacked: Unpacked, index: Index) -> Candidate | None:
        """Return the envelope of a payload if its events may be counted without decoding them."""
        if unpacked.unreadable or len(unpacked.text) > self._max_bytes:
            return None
        found = peek(unpacked.text)
        if found is None or not self._log_groups.has(found.log_stream.log_group):
            return None
        fields = self._columns.fields_of(found.log_stream, found.word_count, index)
        return None if fields is None or fields.has_column_in_front else (found, fields)

    def fits(self, candidate: Candidate) -> bool:
        """Tell whether an envelope may be counted together with those that wait; no if none waits."""
        envelope, fields = candidate
        return fields == self._fields and self._json.size + len(envelope.events) <= _MAX_TOGETHER

    def add(self, candidate: Candidate, payload: bytes, form: str, origin: PayloadOrigin) -> None:
        """Let an envelope wait. The caller checks that it `fits`, or that none waits.

        Its text can be dropped: the next text then takes the same memory, which is far faster than fresh memory.
        """
        envelope, self._fields = candidate
        self._waiting.append(Unread(envelope.log_stream, envelope.checksum, payload, form, origin))
        self._json.add(envelope.events)

    def take(self) -> Taken | None:
        """Remove and return all that wait, None if nothing does."""
        waiting, fields = self._waiting, self._fields
        if fields is None:
            return None
        lines = self._json.find_lines(fields.word_count)
        self.clear()
        return Taken(waiting, fields, lines)

    def clear(self) -> None:
        """Remove all that wait."""
        self._waiting = []
        self._json.clear()
        self._fields = None
