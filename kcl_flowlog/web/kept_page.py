"""A page that is made at most once a second, whatever the number of clients. Belongs to the thread of the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT_FOR = 1.0


class KeptPage(Generic[T]):
    """Returns what `make` returned last, if that is less than `KEPT_FOR` seconds old. An error is not kept."""

    def __init__(self, make: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._kept: tuple[float, T] | None = None

    def __call__(self) -> T:
        """Return the page."""
        now = self._clock()
        if self._kept is None or now - self._kept[0] >= KEPT_FOR:
            self._kept = now, self._make()
        return self._kept[1]
