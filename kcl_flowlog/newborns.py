"""How long a new series shows 0, so that `increase()` sees where it starts.

`increase()` ignores the value that a series first appears with. So a page
shows 0 for a series that is younger than the hold, and its true value from
then on, never 0 again. A series that no page has shown with its value yet is
held anew after a restart, as nobody may have seen its 0 either.

Knows no metric and no file: how far pages have shown values is told to `note`,
and the last that was told is given to the next run.
"""

from __future__ import annotations

from collections.abc import Callable


class Newborns:
    """Decides which series are still held; times are Unix seconds.

    `shown` is what an earlier run has noted last: the values of all series born
    up to then were shown. None where nothing was noted: then all older ones were.
    """

    def __init__(
        self,
        hold: float,
        started_at: float = 0.0,
        shown: float | None = None,
        note: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._hold = hold
        self._started_at = started_at
        self._shown = started_at if shown is None else shown
        self._note = note
        self.held = False
        self._lifted = False

    def lift(self) -> None:
        """Hold nothing from now on; for the last page, after one has shown every series."""
        self._lifted = True

    def begin_page(self, now: float) -> None:
        """Begin a page as of `now`; `held` tells afterwards whether it held any series."""
        self.held = False
        upto = now if self._lifted else now - self._hold
        if upto >= self._started_at:
            # A clock that was set back must not hide what was shown.
            self._shown = max(self._shown, upto)
        self._note(self._shown)

    def is_grown(self, born_at: float, now: float) -> bool:
        """Say whether the page of `now` shows the value of a series."""
        if self._lifted or born_at <= self._shown or not 0 <= now - max(born_at, self._started_at) < self._hold:
            return True
        self.held = True
        return False
