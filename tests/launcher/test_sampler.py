"""What the launcher reads from the ledger each minute for its page."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kcl_flowlog.commits.damage import LedgerError
from kcl_flowlog.commits.totals import Totals, TrafficTotal
from kcl_flowlog.counting.delta import Traffic
from kcl_flowlog.counting.outcomes import EVENT_OUTCOMES
from kcl_flowlog.launcher.books import books_of
from kcl_flowlog.launcher.sampler import Sampler
from tests.support.waiting import eventually


def totals(flows: int = 0, counts: Mapping[tuple[str, str], int] = {}) -> Totals:
    series = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
    return Totals([TrafficTotal(series, flows, 0, 100 * flows, 1)], [], dict(counts), {})


def test_a_step_reads_the_traffic_and_the_books() -> None:
    answers = iter([totals(2, {("events", "counted"): 2}), totals(5, {("events", "counted"): 5})])
    sampler = Sampler(lambda: next(answers), lambda: 50.0)

    before = sampler.books
    sampler.step()
    sampler.step()

    assert before is None
    assert sampler.books is not None
    assert (50.0, 5) == (sampler.books.at, sampler.books.outcomes[0].number)
    assert [300] == list(sampler.traffic.read()[1].egress)


def test_the_first_read_is_at_once() -> None:
    """So the first minute has its traffic, and the books are there before the daemon is."""
    sampler = Sampler(totals)

    sampler.start()
    try:
        assert eventually(lambda: sampler.books is not None)
    finally:
        sampler.stop()


def test_a_ledger_that_cannot_be_read_leaves_what_was_known(caplog: pytest.LogCaptureFixture) -> None:
    """The next minute tries again."""
    answers = iter([totals(2), None, totals(3)])

    def read() -> Totals:
        answer = next(answers)
        if answer is None:
            raise LedgerError("the disk is gone")
        return answer

    sampler = Sampler(read)
    for _ in range(3):
        sampler.step()

    assert ["The ledger can't be read; trying again"] == caplog.messages
    assert [100] == list(sampler.traffic.read()[1].egress)


@pytest.mark.parametrize(
    ("flows", "counts", "imbalances"),
    [
        (0, {}, []),
        (7, {("events", "counted"): 7, ("events", "nodata"): 3}, []),
        (8, {("events", "counted"): 7}, ["The series have 1 flows more than were counted."]),
        (5, {("events", "counted"): 7}, []),
        (0, {("events", "malformed"): 2, ("malformed", "bad_number"): 2}, []),
        (0, {("events", "malformed"): 2}, ["2 events are malformed, but 0 have a reason."]),
        (0, {("malformed", "bad_number"): 2}, ["0 events are malformed, but 2 have a reason."]),
        (0, {("payloads", "partial"): 1, ("malformed", "payload_damaged"): 2}, []),
        (0, {("payloads", "malformed"): 1}, ["1 payloads are malformed or partial, but 0 have a reason."]),
    ],
)
def test_the_books_say_what_does_not_add_up(
    flows: int, counts: Mapping[tuple[str, str], int], imbalances: list[str]
) -> None:
    assert imbalances == books_of(0.0, totals(flows, counts)).imbalances


def test_flows_of_dropped_series_are_no_imbalance() -> None:
    """They were counted, and their subnets are gone."""
    dropped = [books_of(0.0, totals(flows, {("events", "counted"): 7})).dropped for flows in (5, 7, 8)]

    assert [2, 0, 0] == dropped


def test_the_books_have_a_line_for_each_outcome() -> None:
    """Outcomes that an operator can do something about say what."""
    found = books_of(3.0, totals(0, {("events", "skipdata"): 4})).outcomes

    assert list(EVENT_OUTCOMES) == [line.outcome for line in found]
    assert {"skipdata": 4} == {line.outcome: line.number for line in found if line.number}
    assert {line.outcome for line in found if not line.advice} == {"counted", "nodata"}
