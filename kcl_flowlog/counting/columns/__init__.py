"""Counting many lines at a time, as columns of numbers: the same counts as line by line, for a fraction of the time."""

from __future__ import annotations

import os

# numpy's linear algebra, which is not used here, would start a thread for each core and take their stacks.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
