"""Sets a ledger aside that is an old copy, before anything of it is shown or added to.

A snapshot of the volume that was brought back, or a file that was copied without its write-ahead log, lacks counts that
pages have shown. Prometheus would take the smaller totals for a reset, and add all of them again. Nothing in the file
shows it, but the lease table does: it holds the claims that the ledger has made since (`commits.claims_made`).

Without the lease table nobody can tell, and without it the daemon can't count either; so the instance waits for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

from kcl_flowlog.commits.claims import LeaseRow
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.soundness import set_aside
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_not_found
from kcl_flowlog.launcher.until_done import Wait, until_done

log = logging.getLogger(__name__)


class Leases(Protocol):
    """The lease table; see `kcl_flowlog.launcher.leases.LeaseTable`."""

    @property
    def name(self) -> str:
        """The name of the table."""

    def read_claimed_rows(self) -> dict[str, LeaseRow]:
        """Return the current rows that have claims, by shard."""


def set_old_ledger_aside(path: Path, leases: Leases, wait: Wait) -> bool:
    """Rename the ledger at `path` if it is an old copy, so that the instance creates another.

    `wait(seconds)` returns True if a stop is requested; only then this returns False.
    """
    if not _has_claimed(path):
        return True
    rows = until_done(partial(_read_rows, leases), leases.name, wait)
    if rows is None:
        return False
    with Ledger(path) as ledger:
        shards = ledger.shards_ahead(rows)
    if shards:
        aside = set_aside(path, time.strftime("old-%Y%m%dT%H%M%SZ", time.gmtime()))
        log.warning(
            "The ledger is an old copy: the lease table knows later commits of it; all totals start again at 0",
            extra={"fields": {"kept_as": str(aside), "shard_ids": ",".join(shards)}},
        )
    return True


def _has_claimed(path: Path) -> bool:
    """Return whether there is a ledger that has made claims; a new instance need not wait for a lease table."""
    if not path.exists():
        return False
    with Ledger(path) as ledger:
        return ledger.has_claimed()


def _read_rows(leases: Leases) -> Mapping[str, LeaseRow]:
    """Return the lease rows with claims, none if there is no table."""
    try:
        return leases.read_claimed_rows()
    except AWS_ERRORS as error:
        if is_not_found(error):
            return {}
        raise
