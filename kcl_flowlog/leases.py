"""What the KCL's lease table says of a shard, for commits that nobody could decide.

When a shard moves to another instance in the middle of a commit, its next
`initialize` happens elsewhere. The lease row still tells the checkpoint, and
with it the ledger can settle the commit.

Source of the columns: `DynamoDBLeaseSerializer`, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import logging
from typing import Any

from kcl_flowlog.aws import AWS_ERRORS
from kcl_flowlog.ledger import Ledger
from kcl_flowlog.positions import SHARD_END, Position

log = logging.getLogger(__name__)


class LeaseTable:
    """Reads lease rows of one application. Gets its DynamoDB client through the constructor."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def checkpoint(self, shard_id: str) -> Position:
        """Return the checkpoint of a shard. Raises one of `aws.AWS_ERRORS`.

        The KCL deletes the row of a shard only after its end was checkpointed.
        """
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"leaseKey": {"S": shard_id}},
            ConsistentRead=True,
            ProjectionExpression="checkpoint, checkpointSubSequenceNumber",
        )
        row = answer.get("Item")
        if row is None:
            return Position(SHARD_END)
        return Position(row["checkpoint"]["S"], int(row.get("checkpointSubSequenceNumber", {"N": "0"})["N"]))


def settle_left_commits(ledger: Ledger, leases: LeaseTable) -> bool:
    """Settle every commit that was left in doubt; say whether the lease table could be read."""
    for left in ledger.left_commits():
        try:
            checkpoint = leases.checkpoint(left.shard_id)
        except AWS_ERRORS as error:
            log.warning("A commit of %s waits for the lease table, which can't be read: %s", left.shard_id, error)
            return False
        settled = ledger.settle(left, checkpoint)
        if settled is not None:
            fields = {"flows": settled.flows, "packets": settled.packets, "bytes": settled.bytes}
            log.warning(
                "A commit of %s was in doubt; its lease says: %s",
                left.shard_id,
                settled.verdict.value,
                extra={"fields": fields},
            )
    return True
