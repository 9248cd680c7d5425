"""Counting items as a processor counts."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.replay.items import Events, Payload, Unreadable
from kcl_flowlog.replay.report import make_report
from tests.support.builders import GOOD, envelope, line
from tests.support.replay import item_counter, nonzero

PAYLOAD = Payload(envelope(GOOD))


@pytest.mark.parametrize(
    ("deduplicate", "events", "payloads"),
    [(True, {"counted": 1, "duplicate": 1}, {"data": 1, "duplicate": 1}), (False, {"counted": 2}, {"data": 2})],
)
def test_copies_are_duplicates_unless_they_should_count(
    deduplicate: bool, events: dict[str, int], payloads: dict[str, int]
) -> None:
    """As with `--deduplicate` and `--no-deduplicate`."""
    counter = item_counter(deduplicate=deduplicate)

    counter.count(PAYLOAD, "a file")
    counter.count(PAYLOAD, "a file")
    counter.finish()

    report = make_report(counter.delta, counter.files)
    assert (events, payloads) == (nonzero(report.outcomes), nonzero(report.payloads))


def test_fingerprints_are_not_kept() -> None:
    """Nothing grows with the number of payloads."""
    counter = item_counter()

    counter.count(PAYLOAD, "a file")

    assert not counter.delta.fingerprints


@pytest.mark.parametrize(
    ("item", "events", "payloads", "malformed"),
    [
        (Unreadable("payload", "payload_damaged"), {}, {"malformed": 1}, {"payload_damaged": 1}),
        (Unreadable("line", "field_count"), {"malformed": 1}, {}, {"field_count": 1}),
        (Unreadable("event", "field_count"), {"malformed": 1}, {}, {"field_count": 1}),
    ],
)
def test_unreadable_data_counts_by_its_reason(
    item: Unreadable, events: dict[str, int], payloads: dict[str, int], malformed: dict[str, int]
) -> None:
    """As a payload or as a log event."""
    counter = item_counter()

    counter.count(item, "a file")

    report = make_report(counter.delta, counter.files)
    assert (events, payloads, malformed) == (nonzero(report.outcomes), nonzero(report.payloads), report.malformed)


def test_finish_counts_the_records_that_wait() -> None:
    """A record of an unlisted interface waits for others of the same interface."""
    counter = item_counter()
    text = line("10.0.1.77", "198.51.100.7", "eni-deadbeef")

    counter.count(Events(LogStream("123456789010", "group", "eni-deadbeef-all"), [LogEvent(text)]), "a file")
    before = sum(make_report(counter.delta, counter.files).outcomes.values())
    counter.finish()

    assert (0, 1) == (before, sum(make_report(counter.delta, counter.files).outcomes.values()))


def test_the_format_of_a_file_applies_to_its_own_lines_only() -> None:
    """Other lines are read by `--flow-log-format`."""
    counter = item_counter(formats=("${interface-id} ${srcaddr} ${dstaddr} ${bytes}",))
    own, configured = "700 eni-a 10.0.1.10 8.8.8.8", "eni-a 10.0.1.10 8.8.8.8 50"

    counter.count(Events(NO_LOG_STREAM, [LogEvent(own)], "${bytes} ${interface-id} ${srcaddr} ${dstaddr}"), "a file")
    counter.count(Events(NO_LOG_STREAM, [LogEvent(configured)]), "a file")
    counter.finish()

    report = make_report(counter.delta, counter.files)
    assert {"counted": 2} == nonzero(report.outcomes)
    assert 750 == sum(series.bytes for series in report.subnets["subnet-a"])
