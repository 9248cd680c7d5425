"""Show the demo: a screen on a terminal, or a plain line every few seconds.

Both displays take a `Status` about once per second. They read nothing and know no
process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from kcl_flowlog.demo.comparison import ComparedSubnet, comparison_lines
from kcl_flowlog.demo.screen import TITLE, Screen
from kcl_flowlog.demo.status import Status
from kcl_flowlog.demo.story import Act, description
from kcl_flowlog.demo.world import World
from kcl_flowlog.escaping import escape_unprintable

if TYPE_CHECKING:
    from rich.console import Console, Group


class Display(Protocol):
    """A display of the demo."""

    def __enter__(self) -> Display:
        """Begin to show."""
        ...

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        ...

    def show(self, status: Status) -> None:
        """Show the current status."""
        ...

    def show_comparison(self, subnets: Sequence[ComparedSubnet]) -> None:
        """Show the comparison after the end."""
        ...


class PlainLines:
    """Prints a line through `say` every `interval` seconds; `width` limits the comparison only."""

    def __init__(self, say: Callable[[str], None], interval: float = 5.0, width: int | None = None) -> None:
        self._say = say
        self._interval = interval
        self._width = width
        self._next = 0.0
        self._act: Act | None = None

    def __enter__(self) -> PlainLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, status: Status) -> None:
        """Print the act of the story if it is new, and the status if it is time."""
        if status.act is not None and status.act != self._act:
            self._act = status.act
            self._say(f"second {self._act.start}: {self._act.title}.")
            for line in description(self._act):
                self._say(f"  {line}")
        if status.seconds >= self._next:
            self._next = status.seconds + self._interval
            self._say(" ".join(part for part in (status.elapsed, status.phase, status.describe()) if part))

    def show_comparison(self, subnets: Sequence[ComparedSubnet]) -> None:
        """Print the comparison as a table."""
        for line in comparison_lines(subnets, self._width):
            self._say(line)


class LiveScreen:
    """Keeps the screen up to date on the terminal."""

    def __init__(self, world: World, url: str, console: Console | None = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._screen = Screen(world, url)
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, status: Status) -> None:
        """Draw the screen again."""
        self._screen.add(status)
        self._live.update(self.drawn(status), refresh=True)

    def show_comparison(self, subnets: Sequence[ComparedSubnet]) -> None:
        """Print the comparison below everything else."""
        from rich.text import Text

        titles, *lines = comparison_lines(subnets, self._console.width)
        self._console.print(Text(titles, TITLE, no_wrap=True))
        for number, line in enumerate(lines):
            style = "" if subnets[number // 2].is_equal else "bold red"  # two lines per subnet
            self._console.print(Text(line, style, no_wrap=True))

    def drawn(self, status: Status) -> Group:
        """Return the screen for `status` as rich draws it."""
        from rich.console import Group
        from rich.text import Text

        lines = self._screen.lines(status, self._console.width)
        return Group(*(Text(escape_unprintable(line.text), line.style, no_wrap=line.is_table) for line in lines))
