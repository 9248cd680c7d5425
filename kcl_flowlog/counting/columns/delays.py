"""The delays of records, sorted into the buckets of their histogram."""

from __future__ import annotations

import math

import numpy as np

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.delta import Delta

_BOUNDS = counts.BOUNDS[counts.EVENT_DELAY]
_TOO_LONG = int(_BOUNDS[-1]) + 1


def observe(ends: Integers, now: float, delta: Delta) -> None:
    """Add the delays of records that end at `ends`, as of `now`."""
    number = len(ends)
    if not number:
        return
    latest = int(ends.max())
    total = number * now - int(ends.sum())
    if latest > now:
        # What ends in the future has no delay.
        total = float(np.maximum(now - ends, 0.0).sum())
        latest = math.ceil(now)
        ends = np.minimum(ends, latest)
    # How many end at most so many seconds before the latest.
    at_most = np.bincount(np.minimum(latest - ends, _TOO_LONG)).cumsum()
    seconds = [math.floor(bound - (now - latest)) for bound in _BOUNDS]
    numbers = [int(at_most[min(each, len(at_most) - 1)]) if each >= 0 else 0 for each in seconds]
    delta.observe_many(counts.EVENT_DELAY, numbers, number, total)
