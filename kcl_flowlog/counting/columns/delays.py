"""The delays of records, sorted into the buckets of their histogram."""

from __future__ import annotations

import numpy as np

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.delta import Delta

_BOUNDS = np.array(counts.BOUNDS[counts.EVENT_DELAY])


def observe(ends: Integers, now: float, delta: Delta) -> None:
    """Add the delays of records that end at `ends`, as of `now`."""
    if not len(ends):
        return
    delays = np.maximum(now - ends, 0.0)
    buckets = np.bincount(np.searchsorted(_BOUNDS, delays), minlength=len(_BOUNDS) + 1)
    delta.observe_many(counts.EVENT_DELAY, buckets.tolist(), float(delays.sum()))
