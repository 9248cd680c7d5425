"""How long scrapes wait, and how the memory of the server grows meanwhile: for commands that measure, not for tests."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

_SCRAPES = 20
# Seconds between two scrapes.
_PAUSE = 0.1


class MeasuredScrapes(NamedTuple):
    """Seconds that each scrape has waited, and by how many bytes the memory has grown at most."""

    waited: list[float]
    grown: int

    def __str__(self) -> str:
        return (
            f"longest {max(self.waited):6.3f} s  median {statistics.median(self.waited):6.3f} s  "
            f"memory +{self.grown / 2**20:5.1f} MiB"
        )


def measure_scrapes(scrape: Callable[[], object], memory: Callable[[], int], before: int) -> MeasuredScrapes:
    """Scrape again and again; `memory` returns the bytes that the server has, `before` those that it had."""
    waited, largest = [], before
    for _ in range(_SCRAPES):
        began = time.monotonic()
        scrape()
        waited.append(time.monotonic() - began)
        largest = max(largest, memory())
        time.sleep(_PAUSE)
    return MeasuredScrapes(waited, largest - before)
