"""Waiting for what another thread or process does, with a bound that a loaded machine does not reach."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0
"""How long a test waits, in seconds, for something that takes milliseconds on an idle machine."""


def eventually(is_true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait until the condition is true. Returns False if it is still false after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if is_true():
            return True
        time.sleep(0.02)
    return False
