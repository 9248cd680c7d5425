"""The lock of the KCL's leader, as far as a launcher may touch it: what its own daemon leaves behind.

Only the leader hands out shards. The lock of a leader that died, or was ended
before it could let go, would keep all others from leading for two minutes,
the new daemon of the same instance among them, and the KCL has no setting for
that. But whoever has started a daemon knows when it is gone.

Promises to delete no other worker's lock. What fails is logged and let be: the
lock expires by itself.

Source of the item: `AmazonDynamoDBLockClient` of amazon-dynamodb-lock-client,
and `CoordinatorState.LEADER_HASH_KEY`, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import logging
from typing import Any

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_failed_condition, is_not_found

log = logging.getLogger(__name__)


class LeaderLock:
    """The lock of one application's leader, in its table of the coordinator's state."""

    def __init__(self, dynamodb: Any, table: str, worker_id: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._worker_id = worker_id

    def release(self) -> None:
        """Delete the lock if this worker has it. Only to be called while no daemon of this worker runs."""
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key={"key": {"S": "Leader"}},
                ConditionExpression="ownerName = :me",
                ExpressionAttributeValues={":me": {"S": self._worker_id}},
            )
        except AWS_ERRORS as error:
            # Another one leads, or nobody ever has.
            if not is_failed_condition(error) and not is_not_found(error):
                log.warning("The lock of the KCL's leader could not be released, if it was ours: %s", error)
        else:
            log.info("The daemon had led the fleet; its lock is released, so that another one can lead at once")
