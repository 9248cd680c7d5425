"""A clock that a test sets."""

from __future__ import annotations


class FakeClock:
    """Tells the time that the test has set, in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        """Let time pass; return False, as a wait does that nothing has ended early."""
        self.now += seconds
        return False
