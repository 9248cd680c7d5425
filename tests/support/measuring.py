"""Coverage of processes that a test starts; `make coverage` measures it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# coverage.py sets it for all processes; see its option `patch = subprocess`.
_VARIABLE = "COVERAGE_PROCESS_CONFIG"


@contextmanager
def unmeasured() -> Iterator[None]:
    """Start processes in this block without coverage, which makes some several times slower and larger."""
    config = os.environ.pop(_VARIABLE, None)
    try:
        yield
    finally:
        if config is not None:
            os.environ[_VARIABLE] = config
