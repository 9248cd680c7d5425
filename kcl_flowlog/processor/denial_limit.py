"""The limit of `--log-deny.rate`: how many denials a processor may write.

A bucket of `burst` lines that is refilled at `rate` lines per second. Reads no clock by itself and never waits.
"""

from __future__ import annotations

from collections.abc import Callable


class DenialLimit:
    """Tells which denials may be written: at most `burst` at once, and `rate` more each second; any if `rate` is 0.

    `monotonic` tells seconds.
    """

    def __init__(self, rate: int, burst: int, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._lines = float(burst)
        self._filled_at = monotonic()

    def allows(self) -> bool:
        """Tell whether a denial may be written now, and count it if it may."""
        if not self._rate:
            return True
        now = self._monotonic()
        self._lines = min(self._burst, self._lines + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._lines < 1:
            return False
        self._lines -= 1
        return True
