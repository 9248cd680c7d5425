"""The last scrapes before an instance ends, so that Prometheus sees everything that was counted.

If nobody ever scraped, there is no wait. A scrape that shows 0 for a new series is followed by another, which
shows the value. Never raises, and never waits past the deadline.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

_TICK = 0.2


class ScrapedServer(Protocol):
    """Answers scrapes, such as `kcl_flowlog.web.server.WebServer`."""

    @property
    def scrapes_answered(self) -> int:
        """How many scrapes have been answered."""

    def next_scrape(self) -> threading.Event:
        """Return an event that is set once a scrape that begins after this call has been answered."""


class HeldSeries(Protocol):
    """Makes new series show 0 at first, such as `kcl_flowlog.exporter.new_series.NewSeries`."""

    @property
    def is_holding(self) -> bool:
        """Whether the last page showed 0 for any series."""

    def lift(self) -> None:
        """Show the value of every series from now on."""


class FinalScrape:
    """Waits for the last scrapes. `wait(seconds)` sleeps, and returns True if the instance shall end at once."""

    def __init__(
        self,
        server: ScrapedServer,
        new_series: HeldSeries,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._new_series = new_series
        self._wait = wait
        self._clock = clock

    def wait_until(self, deadline: float) -> None:
        """Wait until Prometheus has seen every value, or until `deadline` on the clock."""
        if not self._server.scrapes_answered:
            return
        if self._is_scraped_before(deadline) and self._new_series.is_holding:
            self._new_series.lift()
            self._is_scraped_before(deadline)

    def _is_scraped_before(self, deadline: float) -> bool:
        scrape = self._server.next_scrape()
        while not scrape.is_set() and self._clock() < deadline:
            if self._wait(_TICK):
                return False
        return scrape.is_set()
