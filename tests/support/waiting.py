"""Waiting for something that another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds. For something that never happens; a slow machine must not reach it.
PATIENCE = 60.0


def eventually(is_true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until `is_true` holds; tell whether it did within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_true():
            return True
        time.sleep(0.02)
    return False
