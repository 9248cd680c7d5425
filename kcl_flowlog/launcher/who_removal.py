"""With `--no-who`, removes what an earlier run has kept of who sent what, until no file of the ledger has a byte of it.

Raises `LedgerError` if the ledger can't be written; the next step tries again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from kcl_flowlog.commits import who_tables
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.launcher.every import Every

log = logging.getLogger(__name__)

_INTERVAL = 60.0


class WhoRemoval:
    """Removes it from the ledger of this connection. Use it from the thread that opened the ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._trying = Every(_INTERVAL, clock)
        self._is_done = False
        self._has_warned = False

    def step(self) -> None:
        """Try it, if it is time and not done yet."""
        if self._is_done or not self._trying.is_due():
            return
        with self._ledger.begin() as db:
            who_tables.clear(db)
        # The delta of such a commit has addresses as well; to settle it removes them.
        if self._ledger.left_commits():
            return
        # Removed rows are overwritten, but the write-ahead log has pages of before.
        self._is_done = self._ledger.empty_log()
        if self._is_done and self._has_warned:
            log.info("The ledger's files keep nothing any more of what --no-who removes")
        elif not self._is_done and not self._has_warned:
            self._has_warned = True
            log.warning("Somebody reads the ledger, so its log keeps what --no-who removes; trying again each minute")
