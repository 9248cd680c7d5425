"""A shard that this processor does not hold: not yet, or no longer. Nothing of it is counted or checkpointed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from kcl_flowlog.commits.messages import Messenger
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.processor.committer import Checkpointer
from kcl_flowlog.processor.in_hand import RecordInHand
from kcl_flowlog.processor.shard_counter import Record

# The daemon ends a processor soon after its lease is lost. If records go on arriving for longer, it is broken.
_PATIENCE = 60.0


class LeaseLost(FlowlogError):
    """Another worker has the lease: nothing of the shard may be counted any more."""

    def __init__(self, shard_id: str) -> None:
        super().__init__(f"The lease of {shard_id} was lost.")


class UninitializedShard:
    """Refuses every callback that comes before `initialize`."""

    def process_records(self, records: Iterable[Record], checkpointer: Checkpointer) -> NoReturn:
        """Raise `FlowlogError`, as does every method here."""
        raise FlowlogError("The daemon sent `processRecords` before `initialize`.")

    def lease_lost(self) -> NoReturn:
        """Raise `FlowlogError`."""
        raise FlowlogError("The daemon sent `leaseLost` before `initialize`.")

    def shard_ended(self, checkpointer: Checkpointer) -> NoReturn:
        """Raise `FlowlogError`."""
        raise FlowlogError("The daemon sent `shardEnded` before `initialize`.")

    def shutdown_requested(self, checkpointer: Checkpointer) -> NoReturn:
        """Raise `FlowlogError`."""
        raise FlowlogError("The daemon sent `shutdownRequested` before `initialize`.")


class LostShard:
    """Ignores records for a while, until the daemon ends the processor: the next owner counts them."""

    def __init__(
        self, shard_id: str, in_hand: RecordInHand, messenger: Messenger, monotonic: Callable[[], float]
    ) -> None:
        self._shard_id = shard_id
        self._in_hand = in_hand
        self._messenger = messenger
        self._monotonic = monotonic
        self._lost_at = monotonic()

    def process_records(self, records: Iterable[Record], checkpointer: Checkpointer) -> None:
        """Ignore a batch. Raises `FlowlogError` once the lease has been lost for a minute."""
        if self._monotonic() - self._lost_at > _PATIENCE:
            raise FlowlogError(f"The lease of {self._shard_id} is lost, yet its records go on arriving.")

    def lease_lost(self) -> None:
        """Remove the notes of the record in hand."""
        self._in_hand.forget()
        self._messenger.log("info", "Lease lost", shard_id=self._shard_id)

    def shard_ended(self, checkpointer: Checkpointer) -> NoReturn:
        """Raise `LeaseLost`: only the owner may checkpoint the shard's end."""
        raise LeaseLost(self._shard_id)

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        """Do nothing: there is nothing to commit."""
