"""One measurement: release a part of the backlog to an instance, and watch its processes until they are quiet again.

The rate ends when all records are read and all is quiet for a second: until then, an instance uses all CPU that it
gets. CPU time
goes on until the counts are committed, and what the idle instance would have used is taken off.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from streaming.processes import KINDS, Family

_STEP = 0.05
_QUIET = 1.0
# Less than this share of a core counts as quiet; an idle instance of 8 shards uses some 5 %.
_IDLE_SHARE = 0.25


@dataclass(frozen=True)
class Part:
    """A part of the backlog that was drained: flow records per second, CPU microseconds of a flow record by kind."""

    rate: float
    cpu: dict[str, float]
    seconds: float


def idle_rate(family: Family, seconds: float = 3.0) -> dict[str, float]:
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
    is_read: Callable[[], bool],
    is_committed: Callable[[], bool],
    patience: float,
) -> Part:
    """Release `records` flow records and measure. Raises `RuntimeError` if they are not counted in time."""
    before = family.cpu_seconds()
    began = time.monotonic()
    release()
    seconds = _time_until_quiet(family, is_read, began, patience)
    while not is_committed():
        if time.monotonic() - began > patience:
            raise RuntimeError("The released records were not committed in time.")
        time.sleep(0.5)
    elapsed = time.monotonic() - began
    used = family.cpu_seconds()
    cpu = {kind: (used[kind] - before[kind] - idle[kind] * elapsed) / records * 1e6 for kind in KINDS}
    return Part(records / seconds, cpu, seconds)


def _time_until_quiet(family: Family, is_read: Callable[[], bool], began: float, patience: float) -> float:
    """Return the seconds from `began` until the instance begins to be quiet."""
    samples = [(began, _sum(family.cpu_seconds()))]
    while time.monotonic() - began < patience:
        time.sleep(_STEP)
        now = time.monotonic()
        samples.append((now, _sum(family.cpu_seconds())))
        while samples[-1][0] - samples[0][0] > _QUIET:
            samples.pop(0)
        share = (samples[-1][1] - samples[0][1]) / (now - samples[0][0])
        is_whole = now - samples[0][0] > _QUIET - 2 * _STEP
        if is_read() and is_whole and share < _IDLE_SHARE:
            return _begin_of_quiet(samples) - began
    raise RuntimeError("The instance did not become quiet in time.")


def _begin_of_quiet(samples: list[tuple[float, float]]) -> float:
    """Return the moment after the last step that was busy."""
    for (earlier, before), (later, after) in reversed(list(pairwise(samples))):
        if after - before > 2 * _IDLE_SHARE * (later - earlier):
            return later
    return samples[0][0]


def _sum(used: Counter[str]) -> float:
    return sum(used.values())
