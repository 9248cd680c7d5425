"""A dictionary of computed values that never grows beyond a limit.

Keys come from records, so there could be any number of them. A full cache is
emptied: that costs less than keeping an order, and a cache is full only under
a scan or another flood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """Values by key; `cache[key]` computes a missing value. What `compute` raises is let through."""

    def __init__(self, compute: Callable[[K], V], max_size: int) -> None:
        super().__init__()
        self._compute = compute
        self._max_size = max_size

    def __missing__(self, key: K) -> V:
        value = self._compute(key)
        if len(self) >= self._max_size:
            self.clear()
        self[key] = value
        return value
