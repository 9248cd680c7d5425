"""The `rate_limit` of a web config: how many requests a client may send.

Each network has a bucket of `burst` requests, refilled by one each `interval`;
a network whose bucket is empty is refused, and no other. Holds a bounded memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

# A bucket that is full says nothing; with more than these, full buckets are forgotten, and then all.
_MAX_BUCKETS = 4096
# A request may come too early by this share of the interval.
_ROUNDING = 0.001


class RateLimit(NamedTuple):
    """At most `burst` requests at once, and one more each `interval` seconds."""

    interval: float
    burst: int


class RateLimiter:
    """Tells which requests a limit allows. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_buckets: int = _MAX_BUCKETS) -> None:
        self._clock = clock
        self._max_buckets = max_buckets
        # The time at which the bucket of each network will be full.
        self._full_at: dict[str, float] = {}

    def allows(self, limit: RateLimit, network: str) -> bool:
        """Tell whether a network may send a request now, and count the request if it may."""
        now = self._clock()
        full_at = max(self._full_at.get(network, now), now) + limit.interval
        # Sums of times are rounded; a full bucket must have its whole burst all the same.
        if full_at - now > (limit.burst + _ROUNDING) * limit.interval:
            return False
        if len(self._full_at) >= self._max_buckets:
            self._full_at = {name: time for name, time in self._full_at.items() if time > now}
            if len(self._full_at) >= self._max_buckets:
                self._full_at.clear()
        self._full_at[network] = full_at
        return True
