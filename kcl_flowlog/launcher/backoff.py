"""How long to wait before the daemon is started again, and when to stop trying.

Pure: told when a run began to work and when it ended, it answers in seconds.
"""

from __future__ import annotations

from kcl_flowlog.errors import GaveUp

_FIRST, _LONGEST = 1.0, 60.0
# One that was initialised has done its work until a processor died: the shards should not wait for long.
_LONGEST_AFTER_WORK = 4.0
# So many failures are nothing unusual, as a record that kills is known after as many deaths: no pause grows before.
_USUAL = 3
# A run that worked for so long was no part of a series of failures.
_LONG_ENOUGH = 60.0
_MOST_FAILURES = 10


class Backoff:
    """Waits are of a second, and double from the fourth on: up to a minute, or a few seconds after a run that worked.

    After one that worked for a while they start anew.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._in_vain = 0

    def pause(self, worked: bool, lasted: float) -> float:
        """Return the seconds to wait after a run that `lasted` so many seconds.

        Raises `GaveUp` when ten runs in a row ended without having worked.
        """
        if worked and lasted >= _LONG_ENOUGH:
            self._failures = 0
        self._in_vain = 0 if worked else self._in_vain + 1
        if self._in_vain >= _MOST_FAILURES:
            raise GaveUp(f"The daemon failed {_MOST_FAILURES} times in a row without becoming ready.")
        return self._next(_LONGEST_AFTER_WORK if worked else _LONGEST)

    def pause_unstarted(self) -> float:
        """Return the seconds to wait where no run could even begin.

        This is never given up at: a full disk is no better for the next process.
        """
        return self._next(_LONGEST)

    def _next(self, longest: float) -> float:
        pause = min(longest, _FIRST * 2.0 ** max(0, self._failures + 1 - _USUAL))
        self._failures += 1
        return pause
