"""One measurement: release a part of the backlog to an instance, and wait until all of it is committed.

What the idle instance would have used meanwhile is taken off its CPU time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from streaming.processes import KINDS, Family

_STEP = 0.1


@dataclass(frozen=True)
class Part:
    """A part of the backlog that was drained: flow records per second, CPU microseconds of a flow record by kind."""

    rate: float
    cpu: dict[str, float]


def idle_rate(family: Family, seconds: float = 5.0) -> dict[str, float]:
    """Return how many CPU seconds an idle instance uses in a second, by kind."""
    before = family.cpu_seconds()
    time.sleep(seconds)
    after = family.cpu_seconds()
    return {kind: (after[kind] - before[kind]) / seconds for kind in KINDS}


def drain(
    family: Family,
    idle: dict[str, float],
    records: int,
    release: Callable[[], None],
    is_committed: Callable[[], bool],
    patience: float,
) -> Part:
    """Release `records` flow records and measure. Raises `TimeoutError` if they are not committed in time."""
    before = family.cpu_seconds()
    began = time.monotonic()
    release()
    while not is_committed():
        if time.monotonic() - began > patience:
            raise TimeoutError("The released records were not committed in time.")
        time.sleep(_STEP)
    seconds = time.monotonic() - began
    after = family.cpu_seconds()
    cpu = {kind: (after[kind] - before[kind] - idle[kind] * seconds) / records * 1e6 for kind in KINDS}
    return Part(records / seconds, cpu)
