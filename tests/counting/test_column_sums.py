"""Sums by series are those of line by line, also if there is little room for them, and from one delta to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from kcl_flowlog.counting.columns import sums
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_stream import LogStream
from tests.support.builders import INVENTORY, NOW, ORIGIN, line
from tests.support.columns import as_cloudwatch_logs, counter, outcome

_OWN = {"eni-a": "10.0.1.10", "eni-b": "10.0.2.10", "eni-c": "10.0.3.10", "eni-x": "10.0.1.10"}


def _payload(*interfaces: str, first: int) -> bytes:
    lines = [
        line(_OWN[interface], target, interface, action, dstport=22)
        for interface in interfaces
        for target in ("198.51.100.7", "10.0.2.10")
        for action in ("ACCEPT", "REJECT", "ACCEPT")
    ]
    return as_cloudwatch_logs(lines, f"{interfaces[0]}-all", first)


_PAYLOADS = [
    _payload(*interfaces, first=100 * number)
    for number, interfaces in enumerate((("eni-a",), ("eni-b", "eni-c", "eni-x"), ("eni-c",), ("eni-a", "eni-b")), 1)
]


def _deltas(as_columns: bool, ends: Sequence[int]) -> list[dict[str, Any]]:
    """Count each payload as a separate block; return a delta for each of several runs of payloads."""
    made = counter(as_columns, Index(INVENTORY))
    found = []
    for start, end in zip((0, *ends), ends, strict=False):
        delta = Delta()
        for payload in _PAYLOADS[start:end]:
            made.add(payload, ORIGIN, NOW, delta)
            made.flush()
        made.finish(NOW, delta)
        found.append(outcome(delta))
    return found


@pytest.mark.parametrize("ends", [(4,), (1, 2, 3, 4), (2, 4)])
@pytest.mark.parametrize("slots", [1, 2, 3, 4])
@pytest.mark.parametrize("rows", [0, 5, 1000])
def test_deltas_are_those_of_line_by_line(
    monkeypatch: pytest.MonkeyPatch, ends: Sequence[int], slots: int, rows: int
) -> None:
    """With room for so many subnets and series."""
    monkeypatch.setattr(sums, "_MAX_SLOTS", slots)
    monkeypatch.setattr(sums, "_MAX_ROWS", rows)

    assert _deltas(False, ends) == _deltas(True, ends)


def test_a_block_whose_sums_exceed_64_bits_is_exact() -> None:
    """Somebody may write the largest number into each of its lines: what has no room is read line by line."""
    largest = 999_999_999_999_999
    message = line("10.0.1.10", "198.51.100.7", packets=1, bytes=largest)
    made, delta = counter(True, Index(INVENTORY)), Delta()

    made.count_events(LogStream("", "flow-logs", "eni-a-all"), [LogEvent(message)] * 10_000, ORIGIN, NOW, delta)

    assert [[10_000, 10_000, 10_000 * largest]] == [*delta.traffic.values()]


def test_rows_of_the_sums_are_those_that_the_delta_gets() -> None:
    """A series that only an earlier delta had is none of them."""
    made, delta = counter(True, Index(INVENTORY)), Delta()
    made.add(_PAYLOADS[1], ORIGIN, NOW, delta)
    made.finish(NOW, delta)
    delta = Delta()
    made.add(_PAYLOADS[2], ORIGIN, NOW, delta)
    made.flush()
    rows = made.rows
    made.finish(NOW, delta)

    assert len(delta.traffic) + len(delta.rejected_ports) == rows > 0 == made.rows
