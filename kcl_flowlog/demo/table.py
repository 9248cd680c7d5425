"""What the demo shows while it runs: a live table on a terminal, or a plain line every few seconds.

Both are shown a `Status` about once a second and decide themselves what
becomes of it. They read nothing and know no process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kcl_flowlog.demo.page import Page
from kcl_flowlog.demo.truth import NOTHING, Key, Sums, Truth
from kcl_flowlog.demo.verdict import HEADER, LEFT, Row
from kcl_flowlog.demo.world import Subnet, World
from kcl_flowlog.text_table import format_table

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = (
    "subnet",
    "zone",
    "bytes/s in",
    "bytes/s out",
    "flows/s in",
    "flows/s out",
    "accepted /s",
    "rejected /s",
    "flows",
    "bytes",
)


@dataclass(frozen=True)
class Status:
    """How things are `seconds` after the start; `page` is None while it does not answer."""

    seconds: float
    page: Page | None
    generated: Truth
    phase: str = ""


class Display(Protocol):
    """Something that shows the demo."""

    def __enter__(self) -> Display:
        """Begin to show."""
        ...

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        ...

    def show(self, status: Status) -> None:
        """Show how things are now."""
        ...

    def final(self, rows: Sequence[Row]) -> None:
        """Show the comparison, after the end."""
        ...


def state(status: Status) -> str:
    """Return in words how far the product is."""
    page = status.page
    if page is None:
        return f"waiting for kcl-flowlog to answer … {status.seconds:.0f} s"
    flows = page.counted.sum_where(lambda key: True).flows
    if flows:
        generated = status.generated.sum_where(lambda key: True).flows
        lag = "" if page.lag is None else f", lag {page.lag:.1f} s"
        return f"{flows:,} of {generated:,} flows counted{lag}, shards held: {page.shards_held}"
    if not page.daemon_up:
        return (
            "waiting for the KCL to initialise (it waits up to 30 s before it fills an empty lease table) … "
            f"{status.seconds:.0f} s"
        )
    if not page.shards_held:
        return f"waiting for the KCL to lease the shards … {status.seconds:.0f} s"
    return f"waiting for the first checkpoint; shards held: {page.shards_held} … {status.seconds:.0f} s"


class History:
    """The pages of the last `window` seconds, for rates per second."""

    def __init__(self, window: float = 10.0) -> None:
        self._window = window
        self._pages: deque[tuple[float, Page]] = deque()

    def add(self, seconds: float, page: Page) -> None:
        """Add the page of a moment, and forget what is older than the window."""
        self._pages.append((seconds, page))
        while len(self._pages) > 2 and self._pages[0][0] < seconds - self._window:
            self._pages.popleft()

    def rate(self, wanted: Callable[[Key], bool]) -> tuple[float, ...]:
        """Return flows, packets and bytes per second of the `wanted` series."""
        if len(self._pages) < 2:
            return tuple(map(float, NOTHING))
        (first, old), (last, new) = self._pages[0], self._pages[-1]
        before, after = old.counted.sum_where(wanted), new.counted.sum_where(wanted)
        return tuple((b - a) / (last - first) for a, b in zip(before, after, strict=True))


class PlainLines:
    """One line of text every `every` seconds, through `say`."""

    def __init__(self, say: Callable[[str], None], every: float = 5.0) -> None:
        self._say = say
        self._every = every
        self._next = 0.0

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: Status) -> None:
        """Say the state, if it is time to."""
        if status.seconds >= self._next:
            self._next = status.seconds + self._every
            self._say("; ".join(part for part in (status.phase, state(status)) if part))

    def final(self, rows: Sequence[Row]) -> None:
        """Say the comparison as a table of text."""
        for line in format_table(HEADER, [line for row in rows for line in row.lines()], LEFT):
            self._say(line)


class LiveTable:
    """A table per subnet that stays in place on the terminal."""

    def __init__(self, world: World, url: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self._world = world
        self._url = url
        self._history = History()
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, status: Status) -> None:
        """Draw the table anew."""
        if status.page is not None:
            self._history.add(status.seconds, status.page)
        self._live.update(self._table(status), refresh=True)

    def final(self, rows: Sequence[Row]) -> None:
        """Print the comparison, to stay."""
        table = _empty_table(HEADER)
        for row in rows:
            for line in row.lines():
                table.add_row(*line, style="" if row.equal else "bold red")
        self._console.print(table)

    def _table(self, status: Status) -> Table:
        table = _empty_table(_COLUMNS)
        table.title = "; ".join(part for part in (status.phase, state(status)) if part)
        table.caption = f"{self._url}   Ctrl-C stops"
        for subnet in self._world.subnets:
            table.add_row(*self._cells(subnet, status.page or Page()))
        return table

    def _cells(self, subnet: Subnet, page: Page) -> list[str]:
        def rate(**labels: str) -> tuple[float, ...]:
            wanted = {"subnet_id": subnet.id, **labels}
            return self._history.rate(lambda key: all(getattr(key, name) == wanted[name] for name in wanted))

        flows_in, _, bytes_in = rate(direction="ingress")
        flows_out, _, bytes_out = rate(direction="egress")
        totals: Sums = page.counted.of_subnet(subnet.id)
        return [
            subnet.name,
            subnet.zone_id,
            short(bytes_in),
            short(bytes_out),
            f"{flows_in:,.1f}",
            f"{flows_out:,.1f}",
            f"{rate(action='accept')[0]:,.1f}",
            f"{rate(action='reject')[0]:,.1f}",
            f"{totals.flows:,}",
            short(totals.bytes),
        ]


def _empty_table(columns: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        left = column in LEFT
        # On a narrow terminal names are folded; a figure that is cut short would be a lie.
        table.add_column(
            column.replace(" ", "\n"), justify="left" if left else "right", no_wrap=not left, overflow="fold"
        )
    return table


def short(figure: float) -> str:
    """Return a figure with three digits or so and a decimal prefix: 1234567 is `1.23 M`."""
    for prefix in ("", "k", "M", "G", "T"):
        if abs(figure) < 1000:
            return f"{figure:.3g} {prefix}".rstrip()
        figure /= 1000
    return f"{figure:.3g} P"
