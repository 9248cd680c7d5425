"""The lines of a sparkline as SVG paths, from numbers. Pure; any numbers, also none, give valid paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 120, 24
# The line keeps its width at the upper and the lower edge.
_EDGE = 1.5


class Sparkline(NamedTuple):
    """The path of the line, and of the area below it."""

    line: str
    area: str


def sparkline(values: Sequence[float], places: int = 0) -> Sparkline:
    """Return the paths of values, the latest at the right edge; fewer than `places` begin further to the right."""
    if not values:
        return Sparkline("", "")
    step = WIDTH / max(1, places - 1, len(values) - 1)
    left = WIDTH - step * (len(values) - 1)
    tallest = max(values) or 1
    points = [
        f"{left + step * place:.1f} {HEIGHT - _EDGE - value / tallest * (HEIGHT - 2 * _EDGE):.1f}"
        for place, value in enumerate(values)
    ]
    # A single value has no length; a line of round ends shows it as a dot.
    line = "M" + "L".join(points if len(points) > 1 else points * 2)
    return Sparkline(line, f"{line}L{WIDTH} {HEIGHT}L{left:.1f} {HEIGHT}Z")
