"""Which lines the short cut counts, and which it leaves. That it counts the same is in test_columns.py."""

from __future__ import annotations

import msgspec
import pytest

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.formats import MAX_LENGTH, Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.ordinary_lines import OrdinaryLines
from kcl_flowlog.counting.tally import Tally
from tests.support.builders import GOOD, INVENTORY, NODATA, ORIGIN, line

_STREAM = LogStream("123456789010", "flow-logs", "eni-a-all")
_SHORT = (
    "${interface-id} ${srcaddr} ${dstaddr} ${bytes} ${subnet-id} ${flow-direction} ${pkt-srcaddr} ${pkt-dstaddr}"
    " ${traffic-path}"
)
_REJECTED = line("198.51.100.7", "10.0.1.10", action="REJECT")


def _left(event: LogEvent | bytes, line_format: str = "", leaves_rejected: bool = False) -> bool:
    """Tell whether an event is left; its tally says the same."""
    formats = Formats((line_format,) if line_format else ())
    ordinary = OrdinaryLines(formats, Attributor(Index(INVENTORY)), frozenset({"22"}), leaves_rejected)
    tally = Tally(Delta(), _STREAM, ORIGIN)
    left = ordinary.count([event], tally)
    assert ([], 1) == (left, tally.events[outcomes.COUNTED]) or ([event], 0) == (left, tally.events.total())
    return bool(left)


@pytest.mark.parametrize(
    ("text", "line_format"),
    [
        (GOOD, ""),
        (_REJECTED, ""),
        (line("2001:db8:1:a::10", "2001:db8::1"), ""),
        (line("10.0.9.9", "10.0.2.10", "eni-b"), ""),
        ("eni-a 10.0.1.10 8.8.8.8 60 - - - - -", _SHORT),
        ("eni-a 10.0.1.10 8.8.8.8 60 subnet-a egress - 9.9.9.9 8", _SHORT),
        ("eni-a 8.8.8.8 10.0.9.9 60 - ingress 10.0.2.10 - -", _SHORT),
    ],
)
def test_ordinary_lines_are_counted(text: str, line_format: str) -> None:
    """IPv4 and IPv6, of the default format and of others, with a log status or without."""
    assert not _left(LogEvent(text), line_format)


@pytest.mark.parametrize(
    ("text", "line_format"),
    [
        (NODATA, ""),
        ("", ""),
        ("{", ""),
        ('{"srcAddr": "10.0.1.10"}' + " x" * 12, ""),
        (GOOD + " x", ""),
        (GOOD + " " * MAX_LENGTH, ""),
        (line("10.0.1.10", "198.51.100.7", "eni-facefeed"), ""),
        (line("10.0.1.10", "198.51.100.7", "-"), ""),
        (line("10.0.7.7", "198.51.100.7"), ""),
        (line("10.0.1.10", "10.0.1.10"), ""),
        (line("10.0.1.10", "198.51.100.777"), ""),
        (line("10.0.1.10", "198.51.100.7", bytes="1_0"), ""),
        ("eni-a 10.0.1.10 8.8.8.8 60 subnet-b - - - -", _SHORT),
        ("eni-a - - 60 - egress - 8.8.8.8 -", _SHORT),
        ("eni-a 10.0.1.10 8.8.8.8 60 - - - 8.8.8 -", _SHORT),
    ],
)
def test_other_lines_are_left(text: str, line_format: str) -> None:
    """Whatever is odd, learned from, or malformed."""
    assert _left(LogEvent(text), line_format)


@pytest.mark.parametrize(("leaves_rejected", "expected"), [(False, False), (True, True)])
def test_rejected_lines_are_left_if_somebody_wants_to_see_them(leaves_rejected: bool, expected: bool) -> None:
    """In the order of all rejected lines."""
    assert expected == _left(LogEvent(_REJECTED), leaves_rejected=leaves_rejected)


def test_an_event_without_a_message_is_left() -> None:
    """It is raw JSON."""
    assert _left(msgspec.Raw(b"{}"))


def test_each_delta_has_its_own_cells() -> None:
    """A cell of a delta that is committed must not be added to."""
    ordinary = OrdinaryLines(Formats(), Attributor(Index(INVENTORY)), frozenset({"22"}), leaves_rejected=False)
    deltas = [Delta(), Delta()]

    for delta in deltas:
        ordinary.count([LogEvent(GOOD)] * 2, Tally(delta, _STREAM, ORIGIN))

    assert [[2], [2]] == [[cell[0] for cell in delta.traffic.values()] for delta in deltas]
