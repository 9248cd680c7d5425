"""A warning that a client could cause any number of times, but is logged at most once a minute."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

_INTERVAL = 60.0


class OccasionalWarning:
    """Logs each message at once, then at most once a minute, with the number of `times` since the last line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        self._times: Counter[str] = Counter()

    def __call__(self, message: str, **fields: object) -> None:
        """Warn. Each message has its own minute, so it must be a constant; what varies is a field."""
        now = self._clock()
        self._times[message] += 1
        if now >= self._next.get(message, now):
            log.warning(message, extra={"fields": {**fields, "times": self._times.pop(message)}})
            self._next[message] = now + _INTERVAL
