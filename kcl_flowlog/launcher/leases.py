"""Reads a shard's row in the KCL's lease table, and adds claims to it.

The claims are an additional attribute. The KCL leaves it alone: it updates the attributes that it knows, and never
replaces a row.

Source of the attributes: `DynamoDBLeaseSerializer`, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

from typing import Any

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.inventory.aws_errors import is_failed_condition

CLAIMS = "flowlogClaims"
"""The attribute that holds the claims."""


class LeaseTable:
    """The lease table of one application. `dynamodb` is a boto3 client; each call may raise `aws.AWS_ERRORS`."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read_row(self, shard_id: str) -> LeaseRow | None:
        """Return the current row of a shard, or None if there is no row."""
        response = self._dynamodb.get_item(
            TableName=self._table,
            Key={"leaseKey": {"S": shard_id}},
            ConsistentRead=True,
            ProjectionExpression=f"leaseOwner, checkpoint, checkpointSubSequenceNumber, {CLAIMS}",
        )
        item = response.get("Item")
        if item is None:
            return None
        checkpoint = Position(item["checkpoint"]["S"], int(item["checkpointSubSequenceNumber"]["N"]))
        return LeaseRow(item.get("leaseOwner", {}).get("S", ""), checkpoint, item.get(CLAIMS, {}).get("S", ""))

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "") -> bool:
        """Add a claim that begins at the row's checkpoint, if the row is still as it was read; return whether it was.

        Each claim is part of the condition for the next. So a request that arrives late or twice changes nothing.
        """
        unchanged_claims = f"{CLAIMS} = :before" if row.claims else f"attribute_not_exists({CLAIMS})"
        values = {
            ":owner": {"S": row.owner},
            ":sequence": {"S": row.checkpoint.sequence},
            ":sub": {"N": str(row.checkpoint.sub_sequence)},
            ":after": {"S": with_claim(row, token, suspect)},
        }
        if row.claims:
            values[":before"] = {"S": row.claims}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"leaseKey": {"S": shard_id}},
                UpdateExpression=f"SET {CLAIMS} = :after",
                ConditionExpression="leaseOwner = :owner AND checkpoint = :sequence"
                f" AND checkpointSubSequenceNumber = :sub AND {unchanged_claims}",
                ExpressionAttributeValues=values,
            )
        except Exception as error:
            if is_failed_condition(error):
                return False
            raise
        return True
