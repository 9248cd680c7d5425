"""The delays of records, sorted into the buckets of their histogram."""

from __future__ import annotations

import numpy as np

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.delta import Delta

_BOUNDS = counts.BOUNDS[counts.EVENT_DELAY]


def observe(ends: Integers, now: float, delta: Delta) -> None:
    """Add the delays of records that end at `ends`, as of `now`."""
    number = len(ends)
    if not number:
        return
    earliest, latest = int(ends.min()), int(ends.max())
    total = number * now - int(ends.sum())
    if latest > now:
        # What ends in the future has no delay.
        total = float(np.maximum(now - ends, 0.0).sum())
    # The records of a block end within minutes, so few bounds lie between them.
    at_most = [
        number if now - earliest <= bound else 0 if now - latest > bound else int(np.count_nonzero(ends >= now - bound))
        for bound in _BOUNDS
    ]
    delta.observe_many(counts.EVENT_DELAY, at_most, number, total)
