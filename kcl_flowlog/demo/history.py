"""Rates and bursts, from the metrics pages of the last seconds. Pure; the caller gives the time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from kcl_flowlog.demo.tally import NOTHING, SeriesKey, Tally


class RateHistory:
    """The counts of the last `window` seconds, for rates per second."""

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._samples: deque[tuple[float, Tally]] = deque()

    def add(self, seconds: float, counted: Tally) -> None:
        """Add the counts at a moment; forget those older than the window."""
        self._samples.append((seconds, counted))
        while len(self._samples) > 2 and self._samples[0][0] < seconds - self._window:
            self._samples.popleft()

    def rate(self, is_wanted: Callable[[SeriesKey], bool]) -> tuple[float, ...]:
        """Return flows, packets and bytes per second of the series that `is_wanted` accepts."""
        if len(self._samples) < 2:
            return tuple(map(float, NOTHING))
        (first, old), (last, new) = self._samples[0], self._samples[-1]
        before, after = old.sum_where(is_wanted), new.sum_where(is_wanted)
        return tuple((b - a) / (last - first) for a, b in zip(before, after, strict=True))


class RejectHistory:
    """Rejected flows per subnet in the last `length` cells of `cell_seconds` each.

    A burst is a pair of neighbouring cells with at least `least` rejected flows,
    and half as many again, above the usual pair: two shards may show one burst in
    two cells.
    """

    def __init__(self, cell_seconds: float = 5.0, length: int = 12, least: int = 18) -> None:
        self._cell_seconds = cell_seconds
        self._least = least
        self._cells: deque[Counter[str]] = deque(maxlen=length)
        self._number = 0
        self._before: Counter[str] | None = None

    def add(self, seconds: float, counted: Tally) -> None:
        """Add the counts at a moment; the growth since the last counts goes into the cell of `seconds`."""
        rejects: Counter[str] = Counter()
        for key, sums in counted.traffic.items():
            if key.action == "reject":
                rejects[key.subnet_id] += sums.flows
        number = int(seconds // self._cell_seconds)
        if self._before is not None:
            for _ in range(number - self._number if self._cells else 1):
                self._cells.append(Counter())
            self._cells[-1].update(rejects - self._before)
        self._before, self._number = rejects, number

    def cells(self, subnet_id: str) -> list[int]:
        """Return the rejected flows of a subnet in each cell, the newest last."""
        return [cell[subnet_id] for cell in self._cells]

    def highest(self) -> int:
        """Return the highest figure of any subnet and cell."""
        return max((number for cell in self._cells for number in cell.values()), default=0)

    def has_burst(self, subnet_id: str, cells: int = 4) -> bool:
        """Return whether a subnet had a burst in the last `cells` cells."""
        pairs = [first + second for first, second in pairwise(self.cells(subnet_id))]
        if len(pairs) < cells:
            return False
        usual = median(pairs)
        return any(pair >= usual + max(self._least, usual / 2) for pair in pairs[-cells:])


def sparkline(figures: list[int], highest: int, width: int) -> str:
    """Return `figures` as a bar chart of one line, scaled to `highest`, the last figure at the right end."""
    bars = "▁▂▃▄▅▆▇█"
    steps = (min(len(bars) - 1, figure * len(bars) // (highest + 1)) for figure in figures[-width:])
    return "".join(bars[step] for step in steps).rjust(width)
