"""Who sent what: the heaviest sources, ports, pairs and peers of each subnet, and distinct counts."""

from __future__ import annotations

import os

# numpy's linear algebra, which is not used here, would start a thread for each core and take their stacks.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
