"""Rates and bursts of rejected flows."""

import pytest

from kcl_flowlog.demo.history import RateHistory, RejectHistory, sparkline
from kcl_flowlog.demo.tally import Tally, add_up
from tests.support.demo_fakes import a_tally


def rejects(first: int, second: int = 0) -> Tally:
    """Return a tally of rejected flows of two subnets."""
    return add_up([a_tally(first, action="reject"), a_tally(second, "subnet-2", action="reject"), a_tally(5)])


def history_of(growths: list[int]) -> RejectHistory:
    """Return a history whose cells hold `growths` in the first subnet."""
    history, total = RejectHistory(), 0
    history.add(0.0, rejects(0))
    for number, growth in enumerate(growths):
        total += growth
        history.add(5.0 * number + 1, rejects(total))
    return history


def test_a_rate_is_the_growth_per_second_over_the_window() -> None:
    """Older samples than the window don't count."""
    history = RateHistory(window=10)
    assert (0, 0, 0) == history.rate(lambda key: True)
    for second, flows in ((0, 0), (20, 1000), (25, 1010), (30, 1020)):
        history.add(second, a_tally(flows))
    assert (2, 20, 2000) == history.rate(lambda key: True)
    assert (0, 0, 0) == history.rate(lambda key: key.action == "reject")


def test_cells_hold_the_growth_of_their_seconds() -> None:
    """The counts of a cell are the rejected flows of its 5 s; a cell without a sample is 0."""
    history = RejectHistory()
    for second, counted in ((10, rejects(100)), (12, rejects(101)), (14, rejects(103)), (21, rejects(110, 4))):
        history.add(second, counted)
    assert [3, 0, 7] == history.cells("subnet-1")
    assert [0, 0, 4] == history.cells("subnet-2")
    assert 7 == history.highest()


def test_only_the_last_cells_are_kept() -> None:
    """The history holds the last minute."""
    assert list(range(8, 20)) == history_of(list(range(20))).cells("subnet-1")


@pytest.mark.parametrize(
    ("growths", "has_burst"),
    [
        ([7, 8, 6, 7, 9, 5], False),
        ([7, 8, 6, 39, 9, 5], True),
        ([7, 8, 6, 7, 23, 24], True),  # the shards show halves of a scan in neighbouring cells
        ([39, 8, 6, 7, 9, 5, 7, 8], False),  # more than 20 s ago
        ([70, 72, 61, 93, 80, 71], False),  # at a high rate, a scan is not noticeable
        ([0, 0, 0, 0, 0, 32], True),
        ([39, 8], False),  # nothing to compare with yet
    ],
)
def test_a_burst_is_well_above_the_usual(growths: list[int], has_burst: bool) -> None:
    """A scan of 32 flows within 10 s stands out from the usual rejects; noise does not."""
    assert has_burst == history_of(growths).has_burst("subnet-1")
    assert not history_of(growths).has_burst("subnet-2")


@pytest.mark.parametrize(
    ("figures", "line"),
    [([], "    "), ([0, 40], "  ▁█"), ([5, 10, 20, 40], "▁▂▄█"), ([40, 0, 0, 0, 0], "▁▁▁▁")],
)
def test_a_sparkline_is_scaled_to_the_highest_figure(figures: list[int], line: str) -> None:
    """The newest figure is at the right end, the highest figure is a full bar."""
    assert line == sparkline(figures, 40, 4)
