"""The KCL's lease table, as far as commits need it: reading a shard's row, and adding a claim to it.

The claims are an attribute of their own, which the KCL leaves alone: it
updates the attributes that it knows, and never replaces a row.

Source of the columns: `DynamoDBLeaseSerializer`, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

from typing import Any

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.inventory.aws_errors import is_failed_condition

CLAIMS = "flowlogClaims"
"""The attribute that holds the claims."""


class LeaseTable:
    """The rows of one application. Gets its DynamoDB client through the constructor; raises `aws.AWS_ERRORS`."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def row(self, shard_id: str) -> LeaseRow | None:
        """Return the row of a shard as of now, None where there is none."""
        answer = self._dynamodb.get_item(
            TableName=self._table,
            Key={"leaseKey": {"S": shard_id}},
            ConsistentRead=True,
            ProjectionExpression=f"leaseOwner, checkpoint, checkpointSubSequenceNumber, {CLAIMS}",
        )
        row = answer.get("Item")
        if row is None:
            return None
        checkpoint = Position(row["checkpoint"]["S"], int(row["checkpointSubSequenceNumber"]["N"]))
        return LeaseRow(row.get("leaseOwner", {}).get("S", ""), checkpoint, row.get(CLAIMS, {}).get("S", ""))

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "") -> bool:
        """Add a claim that begins at the row's checkpoint; say whether the row was still as it had been read.

        As every claim changes the condition of the next, a request that comes
        late, or twice, changes nothing.
        """
        before = f"{CLAIMS} = :before" if row.claims else f"attribute_not_exists({CLAIMS})"
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
                f" AND checkpointSubSequenceNumber = :sub AND {before}",
                ExpressionAttributeValues=values,
            )
        except Exception as error:
            if is_failed_condition(error):
                return False
            raise
        return True
