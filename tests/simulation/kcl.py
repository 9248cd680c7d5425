"""A model of one daemon: the leases and shard consumers of the KCL 3.1.3 in one JVM.

Nothing here has a timer: the schedule says when a lease is renewed, found, or counts as expired, so each order of
events that any timing can give is possible. Each rule names the class and method of amazon-kinesis-client 3.1.3 that
it stands for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from kcl_flowlog.counting.positions import SHARD_END, Position
from tests.simulation.dynamodb import ConditionFailed, DynamoDb, Row, Throttled, Unreachable
from tests.simulation.tasks import wait_until

TABLE = "leases"


def lease_row(shard_id: str, checkpoint: str, parent: str = "") -> Row:
    """Return a new row: `HierarchicalShardSyncer`, and `createLeaseForChildShard`, whose checkpoint is TRIM_HORIZON."""
    row: Row = {"leaseKey": shard_id, "leaseCounter": 0, "checkpoint": checkpoint, "checkpointSubSequenceNumber": 0}
    if parent:
        row["parentShardId"] = parent
    return row


def checkpoint_of(row: Row) -> Position:
    """Return the checkpoint of a row."""
    return Position(row["checkpoint"], row["checkpointSubSequenceNumber"])


@dataclass(eq=False)
class Lease:
    """A lease in memory: `Lease`. Two leases with the same counter are equal there, but never the same object."""

    shard_id: str
    counter: int
    checkpoint: Position
    # `Lease.isExpired`: not renewed for failoverTimeMillis. The schedule says when; a renewal makes it younger.
    is_expired: bool = False
    # `synchronized (lease)` of renewals and updates.
    is_locked: bool = False


@dataclass
class Leases:
    """The leases that one JVM holds: `DynamoDBLeaseRenewer.ownedLeases`. `sender` names the instance in requests."""

    worker_id: str
    sender: str
    dynamodb: DynamoDb
    is_alive: Callable[[], bool]
    owned: dict[str, Lease] = field(default_factory=dict)

    def held(self, shard_id: str) -> Lease | None:
        """`getCurrentlyHeldLease`: None if it has expired."""
        lease = self.owned.get(shard_id)
        return None if lease is None or lease.is_expired else lease

    def initialize(self) -> None:
        """`DynamoDBLeaseRenewer.initialize`: renew all leases that the table says are this worker's, expired or not."""
        for row in self.dynamodb.rows(TABLE):
            if row.get("leaseOwner") == self.worker_id:
                lease = Lease(row["leaseKey"], row["leaseCounter"], checkpoint_of(row))
                try:
                    if self._renew(lease):
                        self.owned[lease.shard_id] = lease
                except (Throttled, Unreachable):
                    # `initialize` swallows it; discovery finds the lease later.
                    continue

    def renew(self, shard_id: str) -> None:
        """`renewLease(lease, false)`: an expired lease is not renewed, but dropped."""
        lease = self.owned.get(shard_id)
        if lease is None:
            return
        self._lock(lease)
        try:
            if not lease.is_expired and self._renew(lease):
                return
            # `ownedLeases.remove(leaseKey)` does not look whether it is still the same lease.
            self.owned.pop(shard_id, None)
        except (Throttled, Unreachable):
            return
        finally:
            lease.is_locked = False

    def discover(self, shard_id: str) -> None:
        """`DynamoDBLeaseDiscoverer.discoverNewLeases`, `addLeasesToRenew`: hold what the table says is this worker's.

        The counter stays as it was read; the read is eventually consistent, as `consistentReads` is false by default.
        """
        if self.held(shard_id) is not None:
            return
        try:
            row = self.dynamodb.read(self.sender, "get lease", TABLE, shard_id, is_consistent=False)
        except (Throttled, Unreachable):
            return
        if row is not None and row.get("leaseOwner") == self.worker_id and self.is_alive():
            self.owned[shard_id] = Lease(shard_id, row["leaseCounter"], checkpoint_of(row))

    def checkpoint(self, shard_id: str, token: Lease, position: Position) -> bool:
        """`DynamoDBCheckpointer.setCheckpoint`, `updateLease`: the condition is the counter alone.

        `token` stands for the concurrency token, which each acquisition of a lease renews.
        """
        lease = self.held(shard_id)
        if lease is None or lease is not token:
            return False
        self._lock(lease)
        try:
            counter = lease.counter
            changes = {"checkpoint": position.sequence, "checkpointSubSequenceNumber": position.sub_sequence}
            self._update("checkpoint", lease, counter, changes)
            lease.checkpoint = position
            lease.is_expired = False
        except ConditionFailed:
            if self.owned.get(shard_id) is lease:
                del self.owned[shard_id]
            return False
        finally:
            lease.is_locked = False
        return True

    def drop(self, lease: Lease) -> None:
        """`dropLease`: only in memory; the table still names this worker."""
        self.owned.pop(lease.shard_id, None)

    def _renew(self, lease: Lease) -> bool:
        """`DynamoDBLeaseRefresher.renewLease`, with its recovery from a repeated request."""
        try:
            self._update("renew", lease, lease.counter, {})
        except ConditionFailed:
            row = self.dynamodb.read(self.sender, "get lease", TABLE, lease.shard_id, is_consistent=False)
            if row is None or (row.get("leaseOwner"), row["leaseCounter"]) != (self.worker_id, lease.counter + 1):
                return False
            lease.counter += 1
        lease.is_expired = False
        return True

    def _update(self, kind: str, lease: Lease, counter: int, changes: Row) -> None:
        def apply() -> None:
            row = self.dynamodb.row(TABLE, lease.shard_id)
            if row is None or row["leaseCounter"] != counter:
                raise ConditionFailed
            self.dynamodb.put(TABLE, lease.shard_id, {**row, **changes, "leaseCounter": counter + 1})

        self.dynamodb.write(self.sender, kind, apply)
        lease.counter = counter + 1

    def _lock(self, lease: Lease) -> None:
        wait_until(f"waiting for the lock of {lease.shard_id}", lambda: not lease.is_locked)
        lease.is_locked = True


def assign(dynamodb: DynamoDb, shard_id: str, worker_id: str) -> None:
    """`DynamoDBLeaseRefresher.assignLease`, by a leader: any lease to any worker, at any time.

    The condition is the owner that the leader has read, not the counter; the counter grows by one.
    """
    row = dynamodb.row(TABLE, shard_id)
    if row is None:
        return
    owner = row.get("leaseOwner")

    def apply() -> None:
        now = dynamodb.row(TABLE, shard_id)
        if now is None or now.get("leaseOwner") != owner:
            raise ConditionFailed
        dynamodb.put(TABLE, shard_id, {**now, "leaseOwner": worker_id, "leaseCounter": now["leaseCounter"] + 1})

    try:
        dynamodb.write("leader", "assign", apply)
    except (ConditionFailed, Throttled, Unreachable):
        return


def create_if_missing(dynamodb: DynamoDb, row: Row) -> None:
    """`createLeaseIfNotExists`."""
    if dynamodb.row(TABLE, row["leaseKey"]) is None:
        dynamodb.put(TABLE, row["leaseKey"], row)


def is_complete(row: Row | None) -> bool:
    """`BlockOnParentShardTask`: a parent without a row, or at its end, holds no child up."""
    return row is None or row["checkpoint"] == SHARD_END
