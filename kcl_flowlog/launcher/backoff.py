"""How long to wait before the daemon starts again, and when to give up.

Pure: it gets how each run went, and returns seconds. A wait is 1 s for the first three failures and doubles from
then on: up to a minute, or up to 4 s after a run that had become ready.
"""

from __future__ import annotations

from kcl_flowlog.errors import GaveUp

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
# A run that had become ready worked until a processor died: its shards should not wait long.
_LONGEST_PAUSE_AFTER_READY = 4.0
# It takes three deaths to find a record that kills its processor, so pauses don't grow before.
_SHORT_PAUSES = 3
# A run that was ready and lasted this long is not part of a series of failures.
_HEALTHY_SECONDS = 60.0
_MOST_FAILURES = 10


class Backoff:
    """Counts the failures of one daemon after the other."""

    def __init__(self) -> None:
        self._failures = 0
        self._never_ready_in_a_row = 0

    def pause_after(self, was_ready: bool, lasted: float) -> float:
        """Return the seconds to wait after a run that lasted `lasted` seconds.

        Raises `GaveUp` after ten runs in a row that never became ready.
        """
        if was_ready and lasted >= _HEALTHY_SECONDS:
            self._failures = 0
        self._never_ready_in_a_row = 0 if was_ready else self._never_ready_in_a_row + 1
        if self._never_ready_in_a_row >= _MOST_FAILURES:
            raise GaveUp(
                f"The KCL daemon failed {_MOST_FAILURES} times in a row before it was ready; its errors are in the log."
            )
        return self._next(_LONGEST_PAUSE_AFTER_READY if was_ready else _LONGEST_PAUSE)

    def pause_after_failed_start(self) -> float:
        """Return the seconds to wait if the daemon could not even start.

        Never gives up: a full disk is no better for another process.
        """
        return self._next(_LONGEST_PAUSE)

    def _next(self, longest: float) -> float:
        pause = min(longest, _FIRST_PAUSE * 2.0 ** max(0, self._failures + 1 - _SHORT_PAUSES))
        self._failures += 1
        return pause
