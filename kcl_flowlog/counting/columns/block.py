"""One block of lines of one format: which are decided here, and what they count.

A line that is not decided is not counted; the caller reads it alone. Everything that line by line would refuse, learn
from, or place by more than a listed interface is left undecided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.columns import line_ends, words
from kcl_flowlog.counting.columns.attribution import Ends
from kcl_flowlog.counting.columns.digits import are_times, numbers, times
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.interfaces import (
    DASH_COLUMN,
    INTERFACE_WORDS,
    NO_LINE,
    SUBNET_WORDS,
    Interfaces,
    ListedInterface,
    column_of,
    no_text,
    spaced,
    spread,
)
from kcl_flowlog.counting.columns.sums import PROTOCOL_LABELS
from kcl_flowlog.counting.columns.text import Flags, Integers, Lines, Words
from kcl_flowlog.counting.columns.words import UNDECIDED
from kcl_flowlog.counting.flow_record import MAX_DIGITS, NODATA, OK, SKIPDATA

_STATUS_WORDS = 2
_STATUSES = [(status, column_of([spaced(status, _STATUS_WORDS)], NO_LINE)) for status in (NODATA, SKIPDATA)]


class Decided(NamedTuple):
    """What the lines of a block count: `without_flow` by log status, and the columns of the `counted` lines.

    `listed` are interfaces, and `of_line` the place of each line's. The `tails` of an end are its last words: all of an
    IPv4 address.
    """

    counted: Flags
    without_flow: dict[str, Flags]
    listed: list[ListedInterface]
    of_line: Integers
    way: Integers
    action: Integers
    protocol: Integers
    peer: Integers
    packets: Integers
    octets: Integers
    ends: Integers
    peer_ends: Integers
    peer_widths: Integers
    peer_tails: list[Words]
    source_tails: list[Words]
    target_tails: list[Words]


class Block:
    """Decides the lines of a block."""

    def __init__(self, lines: Lines, fields: Fields, interfaces: Interfaces) -> None:
        self._lines = lines
        self._fields = fields
        self._interfaces = interfaces
        self._decided: Flags = np.ones(lines.count, np.bool_)

    def decide(self, expected: Sequence[ListedInterface | None], of_line: Integers) -> Decided | None:
        """Return what the lines count, None if all must be read alone.

        `of_line` is the place of the interface in `expected` that each line probably has.
        """
        fields = self._fields
        usual = line_ends.read(self._lines, fields)
        without_flow = self._read_status(None if usual is None else usual.are_usual)
        listed, of_line = self._find_interfaces(expected, of_line)
        # long because each column is one line.
        if not listed:
            return None
        protocol = self._protocol()
        packets, octets = self._number(fields.packets), self._number(fields.bytes, usual and usual.octets)
        if usual is not None:
            action, time = usual.actions, usual.times
        else:
            action, time = self._choice(fields.action, words.ACTION_NUMBERS), self._time(fields.start, fields.end)
        self._check_subnets(listed, of_line)
        ends = Ends(self._lines, fields, self._interfaces, listed, of_line, self._decided)
        peer = ends.find_peers()
        return Decided(
            self._decided,
            without_flow,
            listed,
            of_line,
            ends.find_ways(),
            action,
            protocol,
            peer,
            packets,
            octets,
            time,
            ends.peer_ends,
            ends.peer_widths,
            ends.peer_tails,
            ends.source_tails,
            ends.target_tails,
        )

    def _read_status(self, is_ok: Flags | None) -> dict[str, Flags]:
        """Decide only lines that are OK, by `is_ok` if somebody knows; return those without flow by their status."""
        field = self._fields.log_status
        if field is None:
            return {}
        if is_ok is None:
            is_ok = words.is_word(self._lines, field, OK)
        self._decided &= is_ok
        rest = np.flatnonzero(~is_ok)
        if not len(rest):
            return {}
        ends = self._lines.ends(field)[rest]
        tails = self._lines.tails(ends, _STATUS_WORDS)
        without_flow = {}
        for status, column in _STATUSES:
            without_flow[status] = np.zeros(self._lines.count, np.bool_)
            without_flow[status][rest] = column.equals(tails)
        return without_flow

    def _protocol(self) -> Integers:
        if self._fields.protocol is None:
            return np.full(self._lines.count, len(PROTOCOL_LABELS) - 1, np.int64)
        found = words.protocols(self._lines, self._fields.protocol)
        self._decided &= found != UNDECIDED
        return found

    def _number(self, field: int | None, tails: Sequence[Words] | None = None) -> Integers:
        if field is None:
            return np.zeros(self._lines.count, np.int64)
        found, are_numbers = numbers(self._lines, field, MAX_DIGITS, tails)
        self._decided &= are_numbers
        return found

    def _time(self, start: int | None, end: int | None) -> Integers:
        """Return the end in Unix seconds; milliseconds and a missing time are not decided here."""
        if start is not None:
            self._decided &= are_times(self._lines, start)
        if end is None:
            return np.zeros(self._lines.count, np.int64)
        found, are_valid = times(self._lines, end)
        self._decided &= are_valid & (found > 0)
        return found

    def _choice(self, field: int | None, choices: dict[str, int]) -> Integers:
        if field is None:
            return np.full(self._lines.count, choices["-"], np.int64)
        found = words.which(self._lines, field, choices)
        self._decided &= found != UNDECIDED
        return found

    def _find_interfaces(
        self, expected: Sequence[ListedInterface | None], of_line: Integers
    ) -> tuple[list[ListedInterface], Integers]:
        """Return the interfaces of the block, and the place of each line's."""
        field = self._fields.interface_id
        none = no_text(INTERFACE_WORDS)
        found = [each for each in expected if each is not None]
        if field is not None:
            texts = column_of([none if each is None else each.interface_id for each in expected], of_line)
            is_expected = texts.equals(self._lines.tails(self._lines.ends(field), INTERFACE_WORDS))
        else:
            is_expected = spread((interface is not None for interface in expected), of_line) != 0
        if len(found) < len(expected):
            place_of = np.cumsum([each is not None for each in expected], dtype=np.int64) - 1
            of_line = np.maximum(place_of.take(of_line), 0)
        others = np.flatnonzero(~is_expected & self._decided)
        if len(others) and field is not None:
            of_line = of_line.copy()
            places: dict[str, int] = {}
            for row, text in zip(others.tolist(), self._lines.fields(self._lines.ends(field)[others]), strict=True):
                place = places.get(text)
                if place is None:
                    interface = self._interfaces.find(text)
                    place = places[text] = -1 if interface is None else len(found)
                    found += [interface] if interface is not None else []
                if place >= 0:
                    of_line[row] = place
                    is_expected[row] = True
        self._decided &= is_expected
        return found, of_line

    def _check_subnets(self, interfaces: Sequence[ListedInterface], of_line: Integers) -> None:
        """Leave records that name another subnet than the inventory."""
        field = self._fields.subnet_id
        if field is None:
            return
        tails = self._lines.tails(self._lines.ends(field), SUBNET_WORDS)
        is_same = column_of([each.subnet_text for each in interfaces], of_line).equals(tails)
        self._decided &= is_same | DASH_COLUMN.equals(tails[:1])
