"""Records that wait until more is known of their interface."""

from __future__ import annotations

from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.waiting import WaitingRecord, WaitingRecords
from tests.support.builders import GOOD, ORIGIN

FIRST, SECOND = LogStream("1", "group", "eni-a-all"), LogStream("1", "group", "eni-b-all")
RECORD = LineFormat().parse(GOOD)


def waiting(line: str) -> WaitingRecord:
    return WaitingRecord(ORIGIN, line, RECORD)


def test_records_are_taken_by_log_stream_oldest_first() -> None:
    """What is taken is gone; the other log streams keep their records."""
    records = WaitingRecords()
    records.add(FIRST, waiting("a"))
    records.add(SECOND, waiting("b"))
    records.add(FIRST, waiting("c"))
    assert [FIRST, SECOND] == records.log_streams

    assert [waiting("a"), waiting("c")] == records.take(FIRST)

    assert [SECOND] == records.log_streams
    assert [] == records.take(FIRST)


def test_a_bounded_number_of_records_waits() -> None:
    """The records of all log streams count; taking some makes room again."""
    records = WaitingRecords(max_records=3)

    states = []
    for log_stream in (FIRST, SECOND, SECOND):
        records.add(log_stream, waiting("a"))
        states.append(records.is_full)
    records.take(FIRST)
    states.append(records.is_full)
    records.add(SECOND, waiting("b"))
    states.append(records.is_full)

    assert [False, False, True, False, True] == states


def test_clear_removes_all_records_and_makes_room() -> None:
    """As if none had been added."""
    records = WaitingRecords(max_records=1)
    records.add(FIRST, waiting("a"))

    records.clear()

    assert ([], False) == (records.log_streams, records.is_full)
    records.add(FIRST, waiting("b"))
    assert records.is_full


def test_a_bounded_number_of_characters_waits() -> None:
    """A line may be as long as a payload."""
    records = WaitingRecords(max_characters=10)

    states = []
    for line in ("12345", "6789", "0"):
        records.add(FIRST, waiting(line))
        states.append(records.is_full)
    records.take(FIRST)

    assert [False, False, True, False] == [*states, records.is_full]
