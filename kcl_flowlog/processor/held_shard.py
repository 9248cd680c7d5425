"""A shard whose claim is registered: its records are counted and committed.

Promises that each commit ends at the last record counted, and that a lost
lease stops all counting. Raises `LeaseLost` if a checkpoint shows that the
lease is gone; what was counted since the last commit is to be forgotten then,
as the next owner counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from kcl_flowlog.commits.claims import digest
from kcl_flowlog.commits.messages import Messenger
from kcl_flowlog.processor.caution import Caution
from kcl_flowlog.processor.committer import Checkpointer, Committer, Outcome
from kcl_flowlog.processor.heartbeats import Heartbeats
from kcl_flowlog.processor.in_hand import RecordInHand
from kcl_flowlog.processor.shard_counter import Record, ShardCounter, position_of
from kcl_flowlog.processor.unheld_shard import LeaseLost

# A delta with this many entries is committed before the interval is over, to bound memory.
_LARGE_DELTA = 20_000


class HeldShard:
    """Counts the batches of one shard, and commits when it is time."""

    def __init__(
        self,
        shard_id: str,
        counter: ShardCounter,
        committer: Committer,
        poison: frozenset[str],
        caution: Caution | None,
        in_hand: RecordInHand,
        heartbeats: Heartbeats,
        messenger: Messenger,
        checkpoint_interval: float,
        monotonic: Callable[[], float],
    ) -> None:
        """`poison` holds the digests of records to skip; `caution` is None if nothing demands it.

        `checkpoint_interval` is in seconds.
        """
        self._shard_id = shard_id
        self._counter = counter
        self._committer = committer
        self._poison = poison
        self._caution = caution
        self._in_hand = in_hand
        self._heartbeats = heartbeats
        self._messenger = messenger
        self._checkpoint_interval = checkpoint_interval
        self._monotonic = monotonic
        self._committed_at = monotonic()

    def process_records(self, records: Iterable[Record], checkpointer: Checkpointer) -> None:
        """Count a batch, and commit if it is time. An empty batch is a chance to commit, too."""
        try:
            batch = iter(records)
            first = next(batch, None)
            if first is not None:
                self._count(chain([first], batch), checkpointer)
            if self._is_due():
                self._commit(checkpointer)
            if self._caution is not None and self._caution.is_over():
                self._caution = None
        except LeaseLost:
            self._committer.abandon()
            raise

    def lease_lost(self) -> None:
        """Forget what was not committed; the next owner counts it."""
        self._counter.discard()
        self._committer.abandon()
        self._in_hand.forget()
        self._messenger.log("info", "Lease lost", shard_id=self._shard_id)

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        """Commit the rest, then checkpoint the shard's end, without which the child shards are never read."""
        if not self._counter.delta:
            self._committer.announce_end()
        while self._has_uncommitted:
            self._commit(checkpointer, is_end=True)
        if self._committer.end_shard(checkpointer) is not Outcome.DONE:
            raise LeaseLost(self._shard_id)
        self._in_hand.forget()
        self._messenger.log("info", "Shard ended", shard_id=self._shard_id)

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        """Make the last commit before the lease is given up."""
        if self._has_uncommitted:
            self._commit(checkpointer)
            self._committer.abandon()
        if self._caution is not None:
            self._caution.survive()

    def _count(self, records: Iterable[Record], checkpointer: Checkpointer) -> None:
        if self._poison or self._caution is not None:
            # Commits within the batch: all of it must have been read before, and be sound.
            records = [*records]
        self._counter.begin_batch()
        for record in records:
            if self._poison and digest(position_of(record)) in self._poison:
                self._skip(record, checkpointer)
            elif self._caution is None:
                self._counter.count(record)
            else:
                self._count_carefully(record, self._caution, checkpointer)
        self._counter.end_batch()

    def _count_carefully(self, record: Record, caution: Caution, checkpointer: Checkpointer) -> None:
        caution.begin_record(position_of(record))
        self._counter.count(record, alone=True)
        if caution.end_record():
            self._commit(checkpointer)

    def _skip(self, record: Record, checkpointer: Checkpointer) -> None:
        """Keep a record that kills, and commit at once, so that the shard never comes back to it."""
        size = self._counter.quarantine(record)
        self._messenger.log(
            "error",
            "Record skipped: it killed every processor that tried to count it",
            shard_id=self._shard_id,
            sequence_number=record.sequence_number,
            bytes=size,
        )
        self._commit(checkpointer)

    @property
    def _has_uncommitted(self) -> bool:
        return bool(self._counter.delta) or self._committer.has_prepared

    def _is_due(self) -> bool:
        is_time = self._monotonic() - self._committed_at >= self._checkpoint_interval
        return self._has_uncommitted and (is_time or self._counter.size >= _LARGE_DELTA)

    def _commit(self, checkpointer: Checkpointer, *, is_end: bool = False) -> None:
        """Commit what an earlier try has left, then what was counted since. Raises `LeaseLost`."""
        outcome = self._committer.finish(checkpointer)
        if outcome is Outcome.DONE and self._counter.delta:
            self._committer.prepare(*self._counter.complete(), is_end=is_end)
            outcome = self._committer.finish(checkpointer)
        self._committed_at = self._monotonic()
        if outcome is Outcome.DONE:
            self._heartbeats.note_checkpoint()
        elif outcome is Outcome.LATER:
            self._messenger.log("warning", "Checkpoints throttled; trying again later", shard_id=self._shard_id)
        else:
            self._messenger.log("warning", "Lease lost before a checkpoint", shard_id=self._shard_id)
            raise LeaseLost(self._shard_id)
