"""A model of one shard consumer: `ShardConsumer`, its tasks, and the processor's process that it talks to.

`work` runs one task of the KCL, with the callback to the processor in it. All tasks of a consumer run one after
another, so a lost lease is delivered only after the running callback (`ShardConsumer` synchronizes them).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amazon_kclpy import kcl, messages

from kcl_flowlog.counting.positions import SHARD_END, Position
from tests.simulation.dynamodb import DynamoDb, Throttled, Unreachable
from tests.simulation.kcl import TABLE, Lease, Leases, checkpoint_of, create_if_missing, is_complete, lease_row
from tests.simulation.stream import Stream, StreamRecord, payload
from tests.simulation.tasks import pause

MOST_RECORDS = 3


class HungUp(Exception):
    """The daemon is gone: the processor reads the end of its input instead of an answer."""


class Checkpointer:
    """`ShardRecordProcessorCheckpointer`, and kclpy's `Checkpointer` on the other end of the pipe."""

    def __init__(self, shard_id: str, lease: Lease, leases: Leases) -> None:
        self._shard_id = shard_id
        self._lease = lease
        self._leases = leases
        self.last = Position("TRIM_HORIZON")
        self.largest_permitted = Position("TRIM_HORIZON")
        self.at_shard_end: Position | None = None

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        """Answer a processor's request. Raises `kcl.CheckpointError` with the simple name of the KCL's exception."""
        self._check_daemon()
        if sequence_number is None:
            position = self.largest_permitted
        else:
            position = Position(sequence_number, sub_sequence_number or 0)
            if not self.last.rank() <= position.rank() <= self.largest_permitted.rank():
                raise kcl.CheckpointError("IllegalArgumentException")
        # `advancePosition`: nothing is written for the last checkpoint again.
        if position != self.last:
            self._advance(SHARD_END_POSITION if position == self.at_shard_end else position)
        self._check_daemon()

    def _advance(self, position: Position) -> None:
        try:
            is_held = self._leases.checkpoint(self._shard_id, self._lease, position)
        except Throttled as error:
            raise kcl.CheckpointError("ThrottlingException") from error
        except Unreachable as error:
            self._check_daemon()
            raise kcl.CheckpointError("KinesisClientLibDependencyException") from error
        if not is_held:
            self._check_daemon()
            raise kcl.CheckpointError("ShutdownException")
        self.last = position

    def _check_daemon(self) -> None:
        if not self._leases.is_alive():
            raise HungUp


SHARD_END_POSITION = Position(SHARD_END)


class Consumer:
    """One consumer of a shard, from the acquisition of a lease to its end.

    `spawn` starts a processor; `begins_at` is the time that AT_TIMESTAMP stands for in this daemon's properties.
    """

    def __init__(
        self,
        lease: Lease,
        leases: Leases,
        stream: Stream,
        dynamodb: DynamoDb,
        begins_at: float,
        spawn: Callable[[], Any],
    ) -> None:
        self.shard_id = lease.shard_id
        self.lease = lease
        self.state = "waiting"
        # `ShardInfo.isCompleted`, by the lease as it was read: such a shard has no processor.
        self.reason = "shard end" if lease.checkpoint.sequence == SHARD_END else ""
        self.is_in_callback = False
        self.is_spawned = False
        self._leases = leases
        self._stream = stream
        self._dynamodb = dynamodb
        self._begins_at = begins_at
        self._spawn = spawn
        self._processor: Any = None
        self._checkpointer = Checkpointer(lease.shard_id, lease, leases)
        self.after = 0

    @property
    def is_idle(self) -> bool:
        """Whether its next task changes nothing: all records are delivered, and the shard goes on."""
        shard = self._stream.shards[self.shard_id]
        return self.state == "processing" and not self.reason and self.after >= shard.last and not shard.children

    @property
    def has_lost_lease(self) -> bool:
        """Whether it has ended because its lease was lost: `isShutdown`, and `ShutdownReason.LEASE_LOST`."""
        return self.state == "ended" and self.reason == "lease lost"

    def work(self) -> None:
        """Run the next task. An exception of the processor ends it, and then the daemon."""
        if self.state == "waiting" and not self.reason:
            self._wait_for_parent()
        elif self.state == "starting" and not self.reason:
            self._initialize()
        elif self.state == "processing" and not self.reason:
            self._process()
        elif self.state != "ended":
            self._shut_down()

    def _wait_for_parent(self) -> None:
        """`BlockOnParentShardTask`."""
        parent = self._stream.shards[self.shard_id].parent
        try:
            row = self._read(parent) if parent else None
        except (Throttled, Unreachable):
            return
        if is_complete(row):
            self.state = "starting"

    def _initialize(self) -> None:
        """`InitializeTask`: the checkpoint is read again, and not consistently."""
        try:
            row = self._read(self.shard_id)
        except (Throttled, Unreachable):
            return
        if row is None:
            return
        checkpoint = checkpoint_of(row)
        self.after = self._resolve(checkpoint)
        self._checkpointer.last = self._checkpointer.largest_permitted = checkpoint
        self._processor = self._spawn()
        self.is_spawned = True
        self._call(
            messages.InitializeInput,
            shardId=self.shard_id,
            sequenceNumber=checkpoint.sequence,
            subSequenceNumber=checkpoint.sub_sequence,
        )
        self.state = "processing"

    def _process(self) -> None:
        """`ProcessTask`: the next records, or an empty list; the largest permitted checkpoint moves before the call."""
        shard = self._stream.shards[self.shard_id]
        batch = [record for record in shard.records if record.sequence > self.after][:MOST_RECORDS]
        if not batch and shard.children:
            self.reason = "shard end"
            return
        if batch:
            self.after = batch[-1].sequence
            self._checkpointer.largest_permitted = Position(str(self.after))
        self._call(messages.ProcessRecordsInput, records=list(map(_message, batch)), millisBehindLatest=0)

    def _shut_down(self) -> None:
        if self.reason == "requested" and self.state == "processing":
            self._call(messages.ShutdownRequestedInput)
            # `shutdownNotificationComplete` drops the lease; the next look at the leases finds it lost.
            self._leases.drop(self.lease)
            self.state = "notified"
            return
        if self.reason == "shard end":
            self._end_shard()
            return
        if self.is_spawned and self.state in ("processing", "notified"):
            self._call(messages.LeaseLostInput)
        self.state = "ended"

    def _end_shard(self) -> None:
        """`ShutdownTask.takeShardEndAction`."""
        if self._leases.held(self.shard_id) is None:
            self.reason = "lease lost"
            return
        shard = self._stream.shards[self.shard_id]
        for child in shard.children:
            create_if_missing(self._dynamodb, lease_row(child, "TRIM_HORIZON", self.shard_id))
        pause("before the shard's end")
        try:
            row = self._read(self.shard_id)
        except (Throttled, Unreachable):
            return
        if row is None:
            # `Lease for shard … does not exist`: an InvalidStateException, which drops the lease.
            self._leases.drop(self.lease)
            self.reason = "lease lost"
            return
        if row["checkpoint"] != SHARD_END:
            if not self.is_spawned:
                return
            self._checkpointer.at_shard_end = self._checkpointer.largest_permitted
            self._checkpointer.largest_permitted = SHARD_END_POSITION
            self._call(messages.ShardEndedInput)
        self.state = "ended"

    def _call(self, kind: Any, **fields: object) -> None:
        """Send a message to the processor, and wait for its status."""
        self.is_in_callback = True
        kind({"action": "", **fields}).dispatch(self._checkpointer, self._processor)
        self.is_in_callback = False
        if not self._leases.is_alive():
            raise HungUp

    def _read(self, shard_id: str) -> Any:
        return self._dynamodb.read(self._leases.sender, "get lease", TABLE, shard_id, is_consistent=False)

    def _resolve(self, checkpoint: Position) -> int:
        """Return the sequence number after which this daemon reads; AT_TIMESTAMP is what its properties say."""
        if checkpoint.sequence == "AT_TIMESTAMP":
            records = self._stream.shards[self.shard_id].records
            return max((record.sequence for record in records if record.arrived_at < self._begins_at), default=0)
        if checkpoint.sequence == SHARD_END:
            return self._stream.shards[self.shard_id].last
        return int(checkpoint.sequence) if checkpoint.sequence.isdigit() else 0


def _message(record: StreamRecord) -> messages.Record:
    return messages.Record(
        {
            "data": payload(record.number),
            "partitionKey": "p",
            "sequenceNumber": str(record.sequence),
            "subSequenceNumber": 0,
            "approximateArrivalTimestamp": int(record.arrived_at * 1000),
        }
    )
