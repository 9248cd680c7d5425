"""Writes into the claims of this instance's processors how carefully they go on, and the record that they have in hand.

A note is written only into the shard's last claim, while this instance owns the lease. A request that arrives late or
twice finds other claims, and changes nothing.
"""

from __future__ import annotations

import logging
from typing import Protocol

from kcl_flowlog.commits.claims import Care, LeaseRow, with_note
from kcl_flowlog.commits.messages import LATER, ClaimNote
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS

log = logging.getLogger(__name__)


class Leases(Protocol):
    """The lease table; see `kcl_flowlog.launcher.leases.LeaseTable`."""

    def read_row(self, shard_id: str) -> LeaseRow | None:
        """Return the current row of a shard, or None if there is no row."""

    def replace_claims(self, shard_id: str, row: LeaseRow, claims: str) -> bool:
        """Replace the claims of a row, if it still has those that were read."""


class ClaimNotes:
    """Writes notes into the claims of one instance, which the lease table knows by its worker id."""

    def __init__(self, leases: Leases, worker_id: str) -> None:
        self._leases = leases
        self._worker_id = worker_id

    def write(self, note: ClaimNote) -> list[str] | None:
        """Write a note; return the words of the answer, or None if the claim is not the shard's last any more."""
        try:
            row = self._leases.read_row(note.shard_id)
            if row is None or row.owner != self._worker_id:
                return None
            claims = with_note(row, note.token, Care(note.care), note.in_hand)
            if claims is None:
                return None
            # A note that was written already, and whose answer was lost, is not written again.
            is_written = claims == row.claims or self._leases.replace_claims(note.shard_id, row, claims)
        except AWS_ERRORS as error:
            log.warning(
                "Note in a claim can't be written yet",
                extra={"fields": {"shard_id": note.shard_id, "error": error}},
            )
            return [LATER]
        return [] if is_written else [LATER]
