"""A model of Prometheus: the sum of the increases of all series, as `increase()` sees them.

The first value of a series counts nothing; a value below the last is a reset and counts from 0.
"""

from __future__ import annotations

Series = tuple[str, ...]


class Prometheus:
    """Sees the pages of instances, by the name of each."""

    def __init__(self) -> None:
        self.increases = 0
        self._last: dict[tuple[str, Series], int] = {}

    def scrape(self, instance: str, page: dict[Series, int]) -> None:
        """Add a page."""
        for series, value in page.items():
            before = self._last.get((instance, series))
            if before is not None:
                self.increases += value - before if value >= before else value
            self._last[instance, series] = value

    def forget(self, instance: str) -> None:
        """Take the next page of an instance as that of a new target."""
        self._last = {key: value for key, value in self._last.items() if key[0] != instance}
