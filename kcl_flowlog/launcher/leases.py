"""Reads a shard's row in the KCL's lease table, adds claims to it, and fences rows off.

The claims are an additional attribute. The KCL leaves it alone: it updates the attributes that it knows, and never
replaces a row.

Source of the attributes: `DynamoDBLeaseSerializer`, amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kcl_flowlog.commits.claims import Care, LeaseRow, with_claim
from kcl_flowlog.counting.positions import SHARD_END, Position
from kcl_flowlog.inventory.aws_errors import is_failed_condition, is_not_found

CLAIMS = "flowlogClaims"
"""The attribute that holds the claims."""

_ATTRIBUTES = f"leaseKey, leaseOwner, leaseCounter, checkpoint, checkpointSubSequenceNumber, {CLAIMS}"
# During a hand-off, which is off by default, the old owner may still checkpoint.
_IS_OF_WORKER = "leaseOwner = :worker OR checkpointOwner = :worker"


class LeaseTable:
    """The lease table of one application. `dynamodb` is a boto3 client; each call may raise `aws.AWS_ERRORS`."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self.name = table

    def read_row(self, shard_id: str) -> LeaseRow | None:
        """Return the current row of a shard, or None if there is no row."""
        response = self._dynamodb.get_item(
            TableName=self.name,
            Key={"leaseKey": {"S": shard_id}},
            ConsistentRead=True,
            ProjectionExpression=_ATTRIBUTES,
        )
        item = response.get("Item")
        return _row_of(item) if item is not None else None

    def read_claimed_rows(self) -> dict[str, LeaseRow]:
        """Return the current rows that have claims, by shard."""
        found = self._scan(_ATTRIBUTES, FilterExpression=f"attribute_exists({CLAIMS})")
        return {item["leaseKey"]["S"]: _row_of(item) for item in found}

    # It is long because DynamoDB wants each value named.
    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "", care: Care = Care.NORMAL) -> bool:
        """Add a claim that begins at the row's checkpoint, if the row is still as it was read; return whether it was.

        Each claim is part of the condition for the next. So a request that arrives late or twice changes nothing.
        """
        unchanged_claims = f"{CLAIMS} = :before" if row.claims else f"attribute_not_exists({CLAIMS})"
        values = {
            ":owner": {"S": row.owner},
            ":sequence": {"S": row.checkpoint.sequence},
            ":sub": {"N": str(row.checkpoint.sub_sequence)},
            ":after": {"S": with_claim(row, token, suspect, care)},
        }
        if row.claims:
            values[":before"] = {"S": row.claims}
        return self._write_claims(
            shard_id,
            "leaseOwner = :owner AND checkpoint = :sequence"
            f" AND checkpointSubSequenceNumber = :sub AND {unchanged_claims}",
            values,
        )

    def replace_claims(self, shard_id: str, row: LeaseRow, claims: str) -> bool:
        """Replace the claims of a row, if it still has those that were read, and its owner; return whether it had."""
        values = {":owner": {"S": row.owner}, ":before": {"S": row.claims}, ":after": {"S": claims}}
        return self._write_claims(shard_id, f"leaseOwner = :owner AND {CLAIMS} = :before", values)

    def _write_claims(self, shard_id: str, condition: str, values: dict[str, dict[str, str]]) -> bool:
        try:
            self._dynamodb.update_item(
                TableName=self.name,
                Key={"leaseKey": {"S": shard_id}},
                UpdateExpression=f"SET {CLAIMS} = :after",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except Exception as error:
            if is_failed_condition(error):
                return False
            raise
        return True

    def count_shards(self) -> int:
        """Return the number of shards that are not read to their end; 0 if there is no table yet."""
        values = {":end": {"S": SHARD_END}}
        rows = self._rows("leaseKey", FilterExpression="checkpoint <> :end", ExpressionAttributeValues=values)
        return sum(1 for _ in rows)

    def fence(self, worker_id: str) -> int:
        """Make every write fail that a daemon bases on what it has read of this worker's rows; return their number.

        Adds 2 to their counters. The KCL takes a counter that is higher by 1 for the effect of its last request,
        so one that is higher by 2 costs each daemon the lease that it holds so far.
        """
        fenced = 0
        for key in self._rows_of(worker_id, "leaseKey"):
            try:
                self._dynamodb.update_item(
                    TableName=self.name,
                    Key=key,
                    UpdateExpression="ADD leaseCounter :two",
                    ConditionExpression=_IS_OF_WORKER,
                    ExpressionAttributeValues={":worker": {"S": worker_id}, ":two": {"N": "2"}},
                )
            except Exception as error:
                # The row has another owner by now, which has changed the counter.
                if not is_failed_condition(error):
                    raise
            else:
                fenced += 1
        return fenced

    def shards_of(self, worker_id: str) -> set[str]:
        """Return the shards whose leases a worker owns now, without those that are read to their end."""
        rows = self._rows_of(worker_id, "leaseKey, leaseOwner, checkpoint")
        return {
            row["leaseKey"]["S"]
            for row in rows
            if row.get("leaseOwner", {}).get("S") == worker_id and row["checkpoint"]["S"] != SHARD_END
        }

    def shards(self) -> set[str]:
        """Return all shards that have a lease; none if there is no table yet."""
        return {row["leaseKey"]["S"] for row in self._rows("leaseKey")}

    def _rows_of(self, worker_id: str, attributes: str) -> Iterator[dict[str, Any]]:
        """Return these attributes of the worker's rows, as they are now; none if there is no table yet."""
        values = {":worker": {"S": worker_id}}
        return self._rows(attributes, FilterExpression=_IS_OF_WORKER, ExpressionAttributeValues=values)

    def _rows(self, attributes: str, **selection: Any) -> Iterator[dict[str, Any]]:
        """Yield what `_scan` yields; nothing if there is no table yet."""
        try:
            yield from self._scan(attributes, **selection)
        except Exception as error:
            if not is_not_found(error):
                raise

    def _scan(self, attributes: str, **selection: Any) -> Iterator[dict[str, Any]]:
        """Yield these attributes of the rows that are selected, as they are now."""
        # The index by owner can't be read consistently.
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.name, ConsistentRead=True, ProjectionExpression=attributes, **selection
        )
        for page in pages:
            yield from page["Items"]


def _row_of(item: dict[str, dict[str, str]]) -> LeaseRow:
    checkpoint = Position(item["checkpoint"]["S"], int(item["checkpointSubSequenceNumber"]["N"]))
    return LeaseRow(
        item.get("leaseOwner", {}).get("S", ""),
        checkpoint,
        item.get(CLAIMS, {}).get("S", ""),
        int(item["leaseCounter"]["N"]),
    )
