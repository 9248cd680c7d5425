"""How long a new series shows 0, so that `increase()` sees where it starts.

`increase()` ignores the value that a series first appears with. So the first
page that has a series shows 0 for it, and so do all others until the hold is
over; then pages show its true value, and never 0 again. That a value will be
shown is noted first, for the next run: what was noted shows at once after a
restart, and what was not is held anew, as nobody may have seen its 0 either.

A series is known by its birth, a number that grows; the clock only measures
the hold, so setting a wall clock changes nothing. Knows no metric and no file.
Where nothing can be noted, what is held stays so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable


class NewSeries:
    """Decides which series are still held; `shown` is the birth that an earlier run has noted last.

    `note` is given the latest birth that is going to be shown, and says whether it could be noted.
    """

    def __init__(
        self,
        hold: float,
        shown: int = 0,
        note: Callable[[int], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hold = hold
        self._shown = shown
        self._note = note
        self._clock = clock
        self._lock = threading.Lock()
        # The first pages with a newer series than those before: what was the newest, and when.
        self._pages: deque[tuple[int, float]] = deque()

    @property
    def held(self) -> bool:
        """Whether the last page held any series."""
        return bool(self._pages)

    def lift(self) -> None:
        """Hold nothing from now on; for the last page, after one has shown every series."""
        self._hold = 0.0

    def begin_page(self, newest: int) -> None:
        """Begin a page; `newest` is the latest birth of all series that it has, 0 where it has none."""
        with self._lock:
            now = self._clock()
            if newest > (self._pages[-1][0] if self._pages else self._shown):
                self._pages.append((newest, now))
            grown = sum(1 for _, since in self._pages if now - since >= self._hold)
            if grown and self._note(self._pages[grown - 1][0]):
                for _ in range(grown):
                    self._shown, _ = self._pages.popleft()

    def is_grown(self, birth: int) -> bool:
        """Say whether this page shows the value of a series."""
        return birth <= self._shown
