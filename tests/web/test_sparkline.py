"""Sparklines, as paths of SVG."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.sparkline import Sparkline, sparkline


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
