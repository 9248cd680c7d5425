"""Reads the totals once a minute, in a thread, for the page at /: its traffic and its books.

The page itself reads no ledger, so a scrape waits for at most one such read in a minute, however many clients the page
has. What a read verifies and makes, the next scrape need not. If the ledger can't be read, what was known stays, and
the next minute tries again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from kcl_flowlog.commits.damage import LedgerError
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.launcher.books import books_of
from kcl_flowlog.launcher.traffic_history import TrafficHistory
from kcl_flowlog.web.overview import Books

log = logging.getLogger(__name__)

INTERVAL = 60.0


class Sampler:
    """Keeps the traffic of the last hour, and the books as they were last read; None before the first time."""

    def __init__(self, read_totals: Callable[[], Totals], clock: Callable[[], float] = time.time) -> None:
        self._read_totals = read_totals
        self._clock = clock
        self._stopping = threading.Event()
        self.traffic = TrafficHistory()
        self.books: Books | None = None

    def start(self) -> None:
        """Read in a thread from now on."""
        threading.Thread(target=self._run, name="sampler", daemon=True).start()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping.set()

    def step(self) -> None:
        """Read the totals once."""
        try:
            totals = self._read_totals()
        except LedgerError as error:
            log.warning("The ledger can't be read; trying again", extra={"fields": {"error": str(error)}})
            return
        self.books = books_of(self._clock(), totals)
        self.traffic.add(totals.traffic)

    def _run(self) -> None:
        self.step()
        while not self._stopping.wait(INTERVAL):
            self.step()
