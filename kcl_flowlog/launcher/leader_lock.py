"""Releases the lock of the KCL's leader that this instance's daemon left behind.

Only the leader assigns shards. If a leader is killed, its lock keeps every other worker from leading for two minutes,
even the next daemon of the same instance, and the KCL has no setting for that. But the launcher knows when its daemon
is gone.

Never deletes the lock of another worker. A failure is only logged, because the lock expires by itself.

Source of the item: `AmazonDynamoDBLockClient` of amazon-dynamodb-lock-client, and `CoordinatorState.LEADER_HASH_KEY` of
amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import logging
from typing import Any

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_failed_condition, is_not_found

log = logging.getLogger(__name__)


class LeaderLock:
    """The leader's lock of one application, in its table of coordinator state. `dynamodb` is a boto3 client."""

    def __init__(self, dynamodb: Any, table: str, worker_id: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._worker_id = worker_id

    def release(self) -> None:
        """Delete the lock if this worker holds it. Call it only while no daemon of this worker runs."""
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key={"key": {"S": "Leader"}},
                ConditionExpression="ownerName = :me",
                ExpressionAttributeValues={":me": {"S": self._worker_id}},
            )
        except AWS_ERRORS as error:
            # A failed condition: another worker leads, or no worker. A missing table: no daemon has run yet.
            if not is_failed_condition(error) and not is_not_found(error):
                log.warning(
                    "Leader lock not released; if this worker held it, it expires within two minutes",
                    extra={"fields": {"table": self._table, "error": error}},
                )
        else:
            log.info("Released the leader lock, so that another worker can lead at once")
