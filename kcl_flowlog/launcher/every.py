"""Tells when something is due again."""

from __future__ import annotations

from collections.abc import Callable


class Every:
    """Tells when a chore is due: at once, and then at an interval in seconds."""

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._due_at = clock()

    def is_due(self) -> bool:
        """Return whether it is due; if so, it is due again an interval later."""
        now = self._clock()
        if now < self._due_at:
            return False
        self._due_at = now + self._interval
        return True

    def put_off(self, seconds: float) -> None:
        """Make it due this many seconds from now."""
        self._due_at = self._clock() + seconds
