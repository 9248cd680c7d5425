"""Which format a line is read with.

A line does not name its fields, and a log group may hold the lines of several
flow logs. So the possible formats of a log stream are found first. Each line
is then read with the format that it fits: by the number of fields, then by
what each field looks like, the line's version, and whether such a flow is
possible. If it fits several formats that read it differently, it raises
`Malformed`; nothing is guessed. In order of precedence:

1. `--flow-log-format` for the log group, else for all log groups;
2. the formats of the log group's flow logs in EC2, and of these, those that
   cover the log stream's interface, if it is known;
3. AWS's default format, version 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from kcl_flowlog.counting import parsevpc, transit_gateway
from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.spelling import meant
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.errors import ConfigError, Malformed, Unsupported

_MAX_READERS = 16_384
"""Most log streams whose formats are in memory at a time: some megabytes."""

MAX_LENGTH = 65_536
"""The longest message that is read, in characters; a line with all fields and long tags has a quarter of it."""

_DEFAULT = LineFormat()


class _Candidate(NamedTuple):
    """A format that a line may have, None for a transit gateway's; of this, `read` raises `Unsupported`."""

    line_format: LineFormat | None
    fits: Callable[[list[str]], bool]
    is_without_flow: Callable[[list[str]], bool]
    read: Callable[[list[str]], FlowRecord]


class LineReader:
    """Reads the lines of one log stream."""

    def __init__(self, formats: Iterable[LineFormat]) -> None:
        self._by_field_count: dict[int, list[_Candidate]] = {}
        for line_format in formats:
            is_transit = transit_gateway.is_format(line_format.fields)
            read = _refuse if is_transit else line_format.read
            same_count = self._by_field_count.setdefault(len(line_format.fields), [])
            usable = None if is_transit else line_format
            same_count.append(_Candidate(usable, line_format.fits, line_format.is_without_flow, read))

    def only_format(self, field_count: int) -> LineFormat | None:
        """Return the format of all lines with this number of fields, None if there is no such format, or several."""
        same_count = self._by_field_count.get(field_count, ())
        return same_count[0].line_format if len(same_count) == 1 else None

    def read(self, line: str) -> FlowRecord:
        """Return the record of a line. Raises `Malformed` or `Unsupported`."""
        if len(line) > MAX_LENGTH:
            raise Malformed("message_too_long")
        if parsevpc.is_json(line):
            return self._read_json(line)
        words = line.split()
        candidates = self._by_field_count.get(len(words), ())
        try:
            if len(candidates) == 1:
                return candidates[0].read(words)
            if candidates:
                return _read_fitting(candidates, words)
            # The line of a flow log that was deleted before EC2 could tell its format.
            if _DEFAULT.fits(words) or _DEFAULT.is_without_flow(words):
                return _DEFAULT.read(words)
            raise Malformed("field_count")
        except Malformed:
            if transit_gateway.is_line(words):
                raise Unsupported from None
            raise

    def words_by_field(self, line: str, record: FlowRecord) -> Mapping[str, str]:
        """Return all words of a line that this record was read from, each by the name of its field.

        A word that the possible formats read as different fields is left out; so are all if the formats have changed
        and do not read this record any more.
        """
        while parsevpc.is_json(line):
            found = parsevpc.words_by_field(line)
            if not isinstance(found, str):
                return found
            line = found
        words = line.split()
        formats = [each.line_format for each in self._by_field_count.get(len(words), ()) if each.line_format]
        possible = [line_format for line_format in formats if len(formats) == 1 or line_format.fits(words)]
        return _agreed([each.words_by_field(words) for each in possible or [_DEFAULT] if each.reads(words, record)])

    def _read_json(self, message: str) -> FlowRecord:
        """Read the fields of a JSON message, or the line that it wraps."""
        found = parsevpc.read(message)
        if isinstance(found, str) and parsevpc.is_json(found):
            found = parsevpc.read(found)
            if isinstance(found, str):
                raise Malformed("message_not_flow_log")
        if isinstance(found, FlowRecord):
            return found
        try:
            return self.read(found)
        except Malformed as bad:
            # A text of another length than any line is the message of another program.
            raise Malformed("message_not_flow_log" if bad.reason == "field_count" else bad.reason) from None


def _refuse(_: list[str]) -> FlowRecord:
    raise Unsupported


def _agreed(readings: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """Return what all readings say."""
    if len(readings) < 2:
        return readings[0] if readings else {}
    first, *others = readings
    return {name: word for name, word in first.items() if all(other.get(name) == word for other in others)}


def _read_fitting(candidates: Sequence[_Candidate], words: list[str]) -> FlowRecord:
    """Read a line with the candidate that it fits, or with any of several that read it alike."""
    fitting = [candidate for candidate in candidates if candidate.fits(words)]
    fitting = fitting or [candidate for candidate in candidates if candidate.is_without_flow(words)]
    readings: set[FlowRecord | None] = set()
    for candidate in fitting:
        try:
            readings.add(candidate.read(words))
        except Unsupported:
            readings.add(None)
        except Malformed:
            continue
    if len(readings) > 1:
        readings = {record for record in readings if record is None or record.is_possible}
    if len(readings) != 1:
        raise Malformed("format_undecided" if readings else "format_unfit")
    record = readings.pop()
    if record is None:
        raise Unsupported
    return record


class Formats:
    """The possible formats of each log stream: those of `--flow-log-format`, and those of the inventory."""

    def __init__(self, options: Sequence[str] = (), max_readers: int = _MAX_READERS) -> None:
        # By log group; "" is for all log groups.
        self._configured: dict[str, list[LineFormat]] = {}
        for text in options:
            log_group, line_format = _parse(text)
            self._configured.setdefault(log_group, []).append(line_format)
        self._compiled: dict[str, LineFormat | None] = {}
        self._readers: BoundedCache[LogStream, LineReader] = BoundedCache(self._make_reader, max_readers)
        self._index = Index(Inventory())

    def reader(self, log_stream: LogStream, index: Index) -> LineReader:
        """Return the reader of a log stream's lines, by the current inventory."""
        if index is not self._index:
            self._index = index
            self._readers.clear()
        return self._readers[log_stream]

    def words_by_field(self, line: str, log_stream: LogStream, record: FlowRecord) -> Mapping[str, str]:
        """Return the words of a line that this record was read from; see `LineReader.words_by_field`."""
        return self.reader(log_stream, self._index).words_by_field(line, record)

    def _make_reader(self, log_stream: LogStream) -> LineReader:
        configured = self._configured.get(log_stream.log_group) or self._configured.get("")
        return LineReader(configured or self._find_formats(log_stream) or [_DEFAULT])

    def _find_formats(self, log_stream: LogStream) -> list[LineFormat]:
        """Return the formats that EC2 gives; flow logs of many VPCs mostly share a format."""
        texts = dict.fromkeys(flow_log.log_format for flow_log in self._index.flow_logs_of(log_stream))
        found = [line_format for text in texts if (line_format := self._compile(text)) is not None]
        # Without a log group, the line may be of any flow log, and of one that EC2 does not list.
        return [*found, _DEFAULT] if found and not log_stream.log_group else found

    def _compile(self, text: str) -> LineFormat | None:
        """Return the format that EC2 gave, or None if it is not valid."""
        if text not in self._compiled:
            try:
                self._compiled[text] = LineFormat(text)
            except ConfigError:
                self._compiled[text] = None
        return self._compiled[text]


def parse_option(text: str) -> tuple[str, LineFormat]:
    """Return the log group ("" for all) and the format of a `--flow-log-format`.

    Raises `ConfigError`, also if the name of a field is misspelt.
    """
    log_group, line_format = _parse(text)
    for name in line_format.unknown_fields:
        nearest = meant(name, FIELDS)
        if nearest is not None:
            raise ConfigError(f"--flow-log-format: there is no field {name!r}; did you mean {nearest!r}?")
    return log_group, line_format


def _parse(text: str) -> tuple[str, LineFormat]:
    log_group, equals, line_format = text.partition("=")
    # No field contains `=`, and the name of a log group contains neither `=` nor `$`.
    if not equals or "$" in log_group:
        return "", LineFormat(text)
    if not log_group.strip():
        raise ConfigError("--flow-log-format: there is no log group before `=`.")
    return log_group.strip(), LineFormat(line_format)
