"""Makes the claims of this instance known in the lease table, and settles commits by the claims found there.

Promises that a claim is registered only while its processor is the shard's
latest here, and its instance the owner in the lease table. Where the lease
table or the ledger can't be used, `register` goes on trying; `settle_left`
leaves it for later.

Used by several threads at once: each call has a ledger connection of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from kcl_flowlog.commits.claims import LeaseRow, Permit, Verdict, has_claim, poison, verdict, with_claim
from kcl_flowlog.commits.ledger import Ledger, LedgerError, LeftCommit, is_damage
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS

log = logging.getLogger(__name__)

_PAUSE = 1.0


class Leases(Protocol):
    """The lease table, as `kcl_flowlog.launcher.leases.LeaseTable` knows it."""

    def row(self, shard_id: str) -> LeaseRow | None:
        """Return the row of a shard as of now, None where there is none."""

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "") -> bool:
        """Add a claim; say whether the row was still as it had been read."""


class Registrar:
    """Registers the claims of one instance, which the lease table knows by its worker id."""

    def __init__(
        self,
        leases: Leases,
        open_ledger: Callable[[], Ledger],
        worker_id: str,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._leases = leases
        self._open_ledger = open_ledger
        self._worker_id = worker_id
        self._sleep = sleep
        self.damage: Exception | None = None
        """What told that the ledger is damaged, which only a new start can mend."""

    def register(self, hello: Hello) -> Permit | None:
        """Register a processor's claim, and settle what earlier ones of its shard left.

        Return None where its lease is gone already, or a newer processor has its shard.
        """
        while True:
            try:
                with self._open_ledger() as ledger:
                    return self._try_to_register(ledger, hello)
            except _RowChanged:
                log.debug("The lease row of %s has changed meanwhile", hello.shard_id)
            except (*AWS_ERRORS, LedgerError) as error:
                if is_damage(error):
                    self.damage = error
                log.warning("The claim on %s can't be registered yet: %s", hello.shard_id, error)
            self._sleep(_PAUSE)

    def _try_to_register(self, ledger: Ledger, hello: Hello) -> Permit | None:
        # A processor that is gone must not be waited with, even while the lease table can't be read.
        if not ledger.is_held_by(hello.shard_id, hello.token):
            return None
        row = self._leases.row(hello.shard_id)
        # And again after the row was read: a newer claim that is registered since then has changed it.
        if not ledger.is_held_by(hello.shard_id, hello.token):
            return None
        if row is None or not has_claim(row, hello.token):
            begins_at = Position(hello.sequence_number, hello.sub_sequence_number)
            if row is None or (row.owner, row.checkpoint) != (self._worker_id, begins_at):
                log.warning("The lease of %s has gone on without its processor: %s", hello.shard_id, row)
                return None
            if not self._leases.add_claim(hello.shard_id, row, hello.token, hello.suspect):
                raise _RowChanged
            row = row._replace(claims=with_claim(row, hello.token, hello.suspect))
        for left in ledger.left_commits():
            if left.shard_id == hello.shard_id:
                _settle(ledger, left, row)
        return Permit(poison(row))

    def settle_left(self) -> bool:
        """Settle those commits of this instance in doubt that the lease table can decide by now.

        Return whether it could be asked.
        """
        with self._open_ledger() as ledger:
            for left in ledger.left_commits():
                try:
                    row = self._leases.row(left.shard_id)
                except AWS_ERRORS as error:
                    log.warning(
                        "A commit of %s waits for the lease table, which can't be read: %s", left.shard_id, error
                    )
                    return False
                _settle(ledger, left, row)
        return True


class _RowChanged(Exception):
    """The lease row is not as it was read any more: look again."""


def _settle(ledger: Ledger, left: LeftCommit, row: LeaseRow | None) -> None:
    decided = verdict(row, left.token, left.upto)
    settled = ledger.settle(left, decided) if decided is not None else None
    if settled is not None and decided is not None:
        log.log(
            logging.WARNING if decided is Verdict.UNDECIDED else logging.INFO,
            "A commit of %s was in doubt; its lease says: %s",
            left.shard_id,
            decided.value,
            extra={"fields": settled._asdict()},
        )
