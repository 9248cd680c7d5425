"""What the pages are made of: sparklines, numbers and times in a few characters, and a page that is kept."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.jinja import size, span
from kcl_flowlog.web.kept_page import KeptPage
from kcl_flowlog.web.sparkline import Sparkline, sparkline
from tests.support.clocks import FakeClock


@pytest.mark.parametrize(
    ("values", "places", "line", "area"),
    [
        ([], 60, "", ""),
        ([5.0], 0, "M120.0 1.5L120.0 1.5", "M120.0 1.5L120.0 1.5L120 24L120.0 24Z"),
        ([0.0, 0.0], 2, "M0.0 22.5L120.0 22.5", "M0.0 22.5L120.0 22.5L120 24L0.0 24Z"),
        ([0.0, 10.0, 5.0], 3, "M0.0 22.5L60.0 1.5L120.0 12.0", "M0.0 22.5L60.0 1.5L120.0 12.0L120 24L0.0 24Z"),
        ([0.0, 10.0], 3, "M60.0 22.5L120.0 1.5", "M60.0 22.5L120.0 1.5L120 24L60.0 24Z"),
        ([0.0, 1e300, 0.0], 3, "M0.0 22.5L60.0 1.5L120.0 22.5", "M0.0 22.5L60.0 1.5L120.0 22.5L120 24L0.0 24Z"),
    ],
)
def test_a_sparkline_ends_at_the_right_and_fills_its_height(
    values: list[float], places: int, line: str, area: str
) -> None:
    assert Sparkline(line, area) == sparkline(values, places)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (90_000, "1 d")],
)
def test_a_time_span_is_short(seconds: float, text: str) -> None:
    assert text == span(seconds)


@pytest.mark.parametrize(("number", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e12, "2.5 TB")])
def test_a_number_of_bytes_is_short(number: float, text: str) -> None:
    assert text == size(number)


def test_a_page_is_made_once_a_second() -> None:
    """However many ask for it."""
    clock, made = FakeClock(), iter(range(10))
    kept = KeptPage(lambda: next(made), clock)

    pages = [kept(), kept()]
    clock.now += 0.99
    pages.append(kept())
    clock.now += 0.01
    pages.append(kept())

    assert [0, 0, 0, 1] == pages


def test_a_page_that_fails_is_not_kept() -> None:
    """The next client gets the next attempt."""
    answers = iter(["", "page"])

    def make() -> str:
        answer = next(answers)
        if not answer:
            raise RuntimeError
        return answer

    kept = KeptPage(make, FakeClock())
    with pytest.raises(RuntimeError):
        kept()

    assert "page" == kept()
