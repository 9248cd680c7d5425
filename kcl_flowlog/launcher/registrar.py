"""Registers the claims of this instance in the lease table, and settles commits in doubt by the claims found there.

Promises that a claim is registered only while its processor is the shard's latest on this instance, the lease table
names this instance as the owner, and no checkpoint of an earlier holder can be written any more. If the lease table or
the ledger can't be used, `register` tries again, and `settle_left` leaves the commit for later.

Several threads may use it at once: each call opens the ledger for itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog.commits.claims import Care, LeaseRow, Permit, Verdict, claims_of, has_claim, verdict, with_claim
from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.deaths import care_needed, poison
from kcl_flowlog.commits.holders import LeftCommit
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS

log = logging.getLogger(__name__)

_RETRY_PAUSE = 1.0
RENEWAL_PAUSE = 0.25
"""Seconds between two looks whether the KCL has renewed the lease; it does every third of `failoverTimeMillis`."""


class Leases(Protocol):
    """The lease table; see `kcl_flowlog.launcher.leases.LeaseTable`."""

    def read_row(self, shard_id: str) -> LeaseRow | None:
        """Return the current row of a shard, or None if there is no row."""

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "", care: Care = Care.NORMAL) -> bool:
        """Add a claim if the row is still as it was read; return whether it was."""


class Registrar:
    """Registers the claims of one instance, which the lease table knows by its worker id.

    `is_current` tells whether no later start has taken over the worker id; it may raise `AWS_ERRORS`.
    """

    def __init__(
        self,
        leases: Leases,
        open_ledger: Callable[[], Ledger],
        worker_id: str,
        damage: DamageNote,
        is_current: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._leases = leases
        self._open_ledger = open_ledger
        self._worker_id = worker_id
        self._damage = damage
        self._is_current = is_current
        self._sleep = sleep

    def register(self, hello: Hello) -> Permit | None:
        """Register a processor's claim, and settle the commits that earlier processors of its shard left.

        Return None if the processor has lost its lease, or a newer processor has its shard.
        """
        fence = _Fence()
        while True:
            try:
                with self._open_ledger() as ledger:
                    return self._try_to_register(ledger, hello, fence)
            except _NotFenced:
                self._sleep(RENEWAL_PAUSE)
                continue
            except _RowChanged:
                log.debug("Lease row changed; reading it again", extra={"fields": {"shard_id": hello.shard_id}})
            except (*AWS_ERRORS, LedgerError) as error:
                self._damage.take(error)
                log.warning(
                    "Claim can't be registered yet; trying again",
                    extra={"fields": {"shard_id": hello.shard_id, "error": error, "retry_seconds": _RETRY_PAUSE}},
                )
            self._sleep(_RETRY_PAUSE)

    def _try_to_register(self, ledger: Ledger, hello: Hello, fence: _Fence) -> Permit | None:
        # Don't keep trying for a processor that is gone, even while the lease table can't be read.
        if not ledger.is_held_by(hello.shard_id, hello.token):
            return None
        # Listed before the row is read: the row must be newer than the claim of each commit that it decides.
        left_commits = [left for left in ledger.left_commits() if left.shard_id == hello.shard_id]
        row = self._leases.read_row(hello.shard_id)
        # Check again: a newer processor may have registered its claim before the row was read.
        if not ledger.is_held_by(hello.shard_id, hello.token):
            return None
        if row is None or not has_claim(row, hello.token):
            row = self._add_claim(row, hello, fence)
        if row is None:
            return None
        for left in left_commits:
            _settle(ledger, left, row)
        (care,) = (claim.care for claim in claims_of(row) if claim.token == hello.token)
        return Permit(poison(row), care)

    def _add_claim(self, row: LeaseRow | None, hello: Hello, fence: _Fence) -> LeaseRow | None:
        """Return the row with the claim, or None if the lease is not the processor's any more."""
        begins_at = Position(hello.sequence_number, hello.sub_sequence_number)
        if row is None or (row.owner, row.checkpoint) != (self._worker_id, begins_at):
            log.warning(
                "Lease changed before its processor could claim it; the processor ends",
                extra={"fields": {"shard_id": hello.shard_id, **_describe(row)}},
            )
            return None
        if not fence.is_closed(row):
            raise _NotFenced
        # After the row was read: if a start takes over from here on, its fence changes the row before it is written.
        if not self._is_current():
            log.warning(
                "Another start has the worker id; the processor ends", extra={"fields": {"shard_id": hello.shard_id}}
            )
            return None
        care = care_needed(row)
        if not self._leases.add_claim(hello.shard_id, row, hello.token, hello.suspect, care):
            raise _RowChanged
        return row._replace(claims=with_claim(row, hello.token, hello.suspect, care))

    def settle_left(self) -> bool:
        """Settle the commits in doubt that the lease table can decide by now.

        Return whether the lease table could be read.
        """
        with self._open_ledger() as ledger:
            for left in ledger.left_commits():
                try:
                    row = self._leases.read_row(left.shard_id)
                except AWS_ERRORS as error:
                    log.warning(
                        "Commit in doubt stays unsettled: the lease table can't be read",
                        extra={"fields": {"shard_id": left.shard_id, "error": error}},
                    )
                    return False
                _settle(ledger, left, row)
        return True


class _Fence:
    """Tells when no checkpoint that an earlier holder has sent can be written any more.

    Every write of the KCL is conditional on the row's counter, and adds to it. A checkpoint may be under way for a
    minute, and the KCL can give the lease up and find it again in that time without a write. But once the counter has
    grown since the new holder began, it is past that of every earlier request.
    """

    def __init__(self) -> None:
        self._counter: int | None = None

    def is_closed(self, row: LeaseRow) -> bool:
        """Return whether the row's counter has grown since the first row that had claims of earlier holders."""
        if not row.claims:
            return True
        if self._counter is None:
            self._counter = row.counter
        return row.counter > self._counter


class _NotFenced(Exception):
    """A checkpoint of an earlier holder may still be on its way; wait until the KCL renews the lease."""


class _RowChanged(Exception):
    """The lease row changed after it was read; read it again."""


def _describe(row: LeaseRow | None) -> dict[str, str]:
    """Return the fields of a log line that show what the row says."""
    return {"lease": "deleted"} if row is None else {"owner": row.owner, "checkpoint": row.checkpoint.sequence}


def _settle(ledger: Ledger, left: LeftCommit, row: LeaseRow | None) -> None:
    decision = verdict(row, left.token, left.upto)
    if decision is None:
        return
    settlement = ledger.settle(left, decision)
    # None if another thread has settled it.
    if settlement is not None:
        log.log(
            logging.WARNING if decision is Verdict.UNDECIDED else logging.INFO,
            "Settled a commit in doubt",
            extra={"fields": {"shard_id": left.shard_id, "verdict": decision.value, **settlement._asdict()}},
        )
