"""Which format a line is read by.

A line does not name its fields, and a log group may hold the lines of several
flow logs. So the formats that a log stream may have are found first, and then
each line is read by the one that it fits: the number of fields decides, then
what each field looks like. A line that fits several which do not say the same
raises `Malformed`; nothing is guessed. In order of precedence:

1. `--flow-log-format` for the log group, else those for all log groups;
2. the formats of the log group's flow logs, as EC2 describes them: of those
   that cover the log stream's interface, where that is known;
3. the default format of version 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from kcl_flowlog.counting import parsevpc, transit_gateway
from kcl_flowlog.counting.flow_record import FlowRecord, Format
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.subnets import Index
from kcl_flowlog.errors import ConfigError, Malformed, Unsupported

_MOST_REMEMBERED = 16_384
"""Most log streams whose formats are remembered at a time: some megabytes."""

_DEFAULT = Format()


class _Candidate(NamedTuple):
    """A format that a line may have; `read` raises `Unsupported` for one of a transit gateway."""

    fits: Callable[[list[str]], bool]
    read: Callable[[list[str]], FlowRecord]


class LineReader:
    """Reads the lines of one log stream."""

    def __init__(self, formats: Iterable[Format]) -> None:
        self._by_count: dict[int, list[_Candidate]] = {}
        for one in formats:
            read = _refuse if transit_gateway.is_format(one.fields) else one.read
            self._by_count.setdefault(len(one.fields), []).append(_Candidate(one.fits, read))

    def read(self, line: str) -> FlowRecord:
        """Return the record of a line. Raises `Malformed` or `Unsupported`."""
        if parsevpc.is_transformed(line):
            return parsevpc.parse(line)
        words = line.split()
        candidates = self._by_count.get(len(words), ())
        try:
            if len(candidates) == 1:
                return candidates[0].read(words)
            if candidates:
                return _read_fitting(candidates, words)
            # Lines of a flow log that was deleted before anyone could ask for its format.
            if _DEFAULT.fits(words):
                return _DEFAULT.read(words)
            raise Malformed("field_count")
        except Malformed:
            if transit_gateway.is_line(words):
                raise Unsupported from None
            raise


def _refuse(_: list[str]) -> FlowRecord:
    raise Unsupported


def _read_fitting(candidates: Sequence[_Candidate], words: list[str]) -> FlowRecord:
    """Read a line by the candidate that it fits, or by any of several that say the same."""
    found: set[FlowRecord | None] = set()
    for candidate in candidates:
        if candidate.fits(words):
            try:
                found.add(candidate.read(words))
            except Unsupported:
                found.add(None)
            except Malformed:
                continue
    if len(found) != 1:
        raise Malformed("format_undecided" if found else "format_unfit")
    record = found.pop()
    if record is None:
        raise Unsupported
    return record


class Formats:
    """The formats that are given, and those that the inventory knows, for each log stream."""

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._given: dict[str, list[Format]] = {}
        for text in given:
            log_group, one = parse_option(text)
            self._given.setdefault(log_group, []).append(one)
        self._compiled: dict[str, Format | None] = {}
        self._readers: dict[LogStream, LineReader] = {}
        self._index: Index | None = None

    def reader(self, stream: LogStream, index: Index) -> LineReader:
        """Return the reader of a log stream's lines, by the inventory of now."""
        if index is not self._index:
            self._index = index
            self._readers.clear()
        reader = self._readers.get(stream)
        if reader is None:
            if len(self._readers) >= _MOST_REMEMBERED:
                self._readers.clear()
            reader = self._readers[stream] = LineReader(self._formats(stream, index))
        return reader

    def _formats(self, stream: LogStream, index: Index) -> list[Format]:
        given = self._given.get(stream.log_group) or self._given.get("")
        if given:
            return given
        # A dictionary, as flow logs of many VPCs mostly have the same format.
        texts = dict.fromkeys(flow_log.log_format for flow_log in index.flow_logs_of(stream))
        found = [one for text in texts if (one := self._compile(text)) is not None]
        return found or [_DEFAULT]

    def _compile(self, text: str) -> Format | None:
        """Return the format that EC2 gave, or None for what is none."""
        if text not in self._compiled:
            try:
                self._compiled[text] = Format(text)
            except ConfigError:
                self._compiled[text] = None
        return self._compiled[text]


def parse_option(text: str) -> tuple[str, Format]:
    """Return the log group ("" for all) and the format of one `--flow-log-format`. Raises `ConfigError`."""
    head, equals, rest = text.partition("=")
    # No field has `=` in it, and the name of a log group has neither `=` nor `$`.
    if equals and "$" not in head:
        if not head.strip():
            raise ConfigError("--flow-log-format: there is no log group before `=`.")
        return head.strip(), Format(rest)
    return "", Format(text)
