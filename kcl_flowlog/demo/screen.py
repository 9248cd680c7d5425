"""The screen of the demo as styled lines of text, for a terminal of a given width.

While the product starts, the screen shows the current step and what waits in
the stream; after that, rates per subnet and bursts of rejected flows. Pure: it
knows neither the terminal nor the time.
"""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.demo.columns import Column, table_lines
from kcl_flowlog.demo.history import RateHistory, RejectHistory, sparkline
from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.status import Status
from kcl_flowlog.demo.story import description
from kcl_flowlog.demo.tally import SeriesKey, Tally
from kcl_flowlog.demo.world import World

TITLE, PLAIN, DIM, BURST = "bold", "", "dim", "bold yellow"
_SPARKLINE = 12
_LEAST_SCALE = 20  # without a burst, the chart stays flat instead of showing noise as peaks

_START_COLUMNS = (
    Column("subnet", is_left_aligned=True),
    Column("zone", rank=1, width=8, is_left_aligned=True),
    Column("flows generated"),
    Column("bytes generated", rank=2),
    Column("flows counted"),
)
_LIVE_COLUMNS = (
    Column("subnet", is_left_aligned=True),
    Column("zone", rank=5, width=8, is_left_aligned=True),
    Column("in B/s", width=7),
    Column("out B/s", width=7),
    Column("flows/s", rank=1, width=7),
    Column("rejects/s", width=9),
    Column("last minute", width=_SPARKLINE, is_left_aligned=True),
    Column("flows", rank=2, width=7),
    Column("bytes", rank=6, width=7),
)


class Line(NamedTuple):
    """A line of text and its style. A table line is never wrapped."""

    text: str
    style: str = PLAIN
    is_table: bool = False


class Screen:
    """Builds the lines to show for each status; keeps the history that rates need."""

    def __init__(self, world: World, url: str) -> None:
        self._world = world
        self._url = url
        self._rates = RateHistory()
        self._rejects = RejectHistory()
        self._is_live = False

    def add(self, status: Status) -> None:
        """Take the next status into the history."""
        # Rates of the catching-up would only show how long the start took.
        self._is_live = self._is_live or status.is_caught_up
        if self._is_live and status.page is not None:
            self._rates.add(status.seconds, status.page.counted)
            self._rejects.add(status.seconds, status.page.counted)

    def lines(self, status: Status, width: int) -> list[Line]:
        """Return the screen for `status` and a terminal of `width` columns."""
        table = self._live_table if self._is_live else self._start_table
        return [
            Line(f"kcl-flowlog demo, {status.elapsed}", TITLE),
            Line(f"Metrics: {self._url}"),
            *([Line(status.phase)] if status.phase else []),
            Line(status.describe()),
            *_story_lines(status),
            Line(""),
            *table(status, width),
            Line(""),
            Line(self._footnote(status), DIM),
            Line("Ctrl-C ends the traffic and compares the figures.", DIM),
        ]

    def _footnote(self, status: Status) -> str:
        if self._is_live:
            return "↑ burst of rejects" + (
                ": a port scan hits a subnet every minute" if status.story_second is None else ""
            )
        return "Records wait in the stream until kcl-flowlog counts them."

    def _start_table(self, status: Status, width: int) -> list[Line]:
        counted = (status.page or Page()).counted
        rows = [
            [subnet.name, subnet.zone_id, *_start_cells(status.generated, counted, subnet.id)]
            for subnet in self._world.subnets
        ]
        return _table(_START_COLUMNS, rows, [PLAIN] * len(rows), width)

    def _live_table(self, status: Status, width: int) -> list[Line]:
        counted = (status.page or Page()).counted
        subnets = self._world.subnets
        rows = [[subnet.name, subnet.zone_id, *self._live_cells(counted, subnet.id)] for subnet in subnets]
        styles = [BURST if self._rejects.has_burst(subnet.id) else PLAIN for subnet in subnets]
        return _table(_LIVE_COLUMNS, rows, styles, width)

    def _live_cells(self, counted: Tally, subnet_id: str) -> list[str]:
        def is_direction(direction: str, key: SeriesKey) -> bool:
            return key.subnet_id == subnet_id and key.direction == direction

        flows_in, _, bytes_in = self._rates.rate(lambda key: is_direction("ingress", key))
        flows_out, _, bytes_out = self._rates.rate(lambda key: is_direction("egress", key))
        rejects, _, _ = self._rates.rate(lambda key: key.subnet_id == subnet_id and key.action == "reject")
        mark = " ↑" if self._rejects.has_burst(subnet_id) else "  "
        total = counted.sum_of_subnet(subnet_id)
        scale = max(self._rejects.highest(), _LEAST_SCALE)
        return [
            short(bytes_in),
            short(bytes_out),
            f"{flows_in + flows_out:,.1f}",
            f"{rejects:,.1f}{mark}",
            sparkline(self._rejects.cells(subnet_id), scale, _SPARKLINE),
            short(total.flows),
            short(total.bytes),
        ]


def _story_lines(status: Status) -> list[Line]:
    """Return where the story is, what its act shows, and where to look; nothing once the traffic has ended."""
    if not status.story:
        return []
    return [Line(status.story, TITLE), *map(Line, [] if status.act is None else description(status.act))]


def _start_cells(generated: Tally, counted: Tally, subnet_id: str) -> list[str]:
    sums = generated.sum_of_subnet(subnet_id)
    return [f"{sums.flows:,}", short(sums.bytes), f"{counted.sum_of_subnet(subnet_id).flows:,}"]


def _table(columns: tuple[Column, ...], rows: list[list[str]], styles: list[str], width: int) -> list[Line]:
    titles, *body = table_lines(columns, rows, width)
    rule = "─" * min(width, max(map(len, [titles, *body])))
    return [
        Line(titles, TITLE, is_table=True),
        Line(rule, DIM, is_table=True),
        *(Line(line, style, is_table=True) for line, style in zip(body, styles, strict=True)),
    ]


def short(figure: float) -> str:
    """Return a figure with about three digits and a decimal prefix: 1234567 is `1.23 M`."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(figure) < 1000:
            return f"{figure:.3g} {prefix}".rstrip()
        figure /= 1000
    return f"{figure:.3g} P"
