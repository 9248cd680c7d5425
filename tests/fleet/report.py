"""What a run of the fleet prints."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence


class Report:
    """Prints lines with the seconds since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def say(self, text: str) -> None:
        """Print one line."""
        print(f"{time.monotonic() - self._begin:7.1f} s  {text}", flush=True)


def print_recovery_times(recovery_times: Mapping[str, Sequence[float]]) -> None:
    """Print a table of the seconds from the end of each fault until records flowed on every shard."""
    print(f"\n{'fault':16} {'times':>5} {'median s':>9} {'worst s':>8}")
    for name, seconds in sorted(recovery_times.items()):
        print(f"{name:16} {len(seconds):5} {statistics.median(seconds):9.1f} {max(seconds):8.1f}")
    print(flush=True)
