"""The new-series hold: how long a new series shows 0, so that `increase()` sees where it starts.

`increase()` ignores the value that a series first appears with. So a new
series first appears with 0, and shows 0 until the hold is over; from then on
it shows its value, and never 0 again. Before a value is shown, that is saved
for the next run: after a restart, saved series show their value at once, and
all others are held again. If saving fails, the series stay held.

A series is known by its birth, a number that grows with each new series. The
clock only measures the hold. Knows no metric and no file.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class NewSeries:
    """Decides which series show 0.

    `hold` is in seconds. `shown` is the latest birth whose value an earlier run has shown; `save_shown(birth)` saves
    it for the next run, and returns whether that worked. `clock` is monotonic.
    """

    def __init__(
        self,
        hold: float,
        shown: int = 0,
        save_shown: Callable[[int], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hold = hold
        self._shown = shown
        self._save_shown = save_shown
        self._clock = clock
        self._lock = threading.Lock()
        # The pages that were the first with a newer series: the newest birth, and the time of the page.
        self._pages: deque[tuple[int, float]] = deque()

    @property
    def is_holding(self) -> bool:
        """Whether the last page showed 0 for any series because of the hold."""
        return bool(self._pages)

    def lift(self) -> None:
        """Hold nothing from now on. For the last page of a run, after a page has shown every series."""
        self._hold = 0.0

    def begin_page(self, newest: int) -> int:
        """Begin a page. `newest` is the latest birth of its series, 0 for an empty page.

        Returns the latest birth whose value the page shows; series that were born later show 0.
        """
        with self._lock:
            now = self._clock()
            if newest > (self._pages[-1][0] if self._pages else self._shown):
                self._pages.append((newest, now))
            over = sum(1 for _, since in self._pages if now - since >= self._hold)
            if over and self._save_shown(self._pages[over - 1][0]):
                for _ in range(over):
                    self._shown, _ = self._pages.popleft()
            return self._shown
