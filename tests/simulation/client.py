"""The boto3 client of one launcher, over the model of DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from tests.simulation import expressions
from tests.simulation.dynamodb import ConditionFailed, DynamoDb, Row, Throttled, Unreachable


class DynamoDbClient:
    """Get, put, update, delete and scan items, with conditions; errors are those of botocore.

    All tables exist. A request for the lease table has its kind for a name, one for another table also that table's.
    """

    def __init__(self, dynamodb: DynamoDb, sender: str, lease_table: str, clock: Callable[[], float]) -> None:
        self._dynamodb = dynamodb
        self._sender = sender
        self._lease_table = lease_table
        self._clock = clock

    def get_item(self, *, TableName: str, Key: Mapping[str, Any], ConsistentRead: bool = False, **_: Any) -> Any:  # noqa: N803
        try:
            row = self._dynamodb.read(self._sender, self._kind("read", TableName), TableName, _key(Key), ConsistentRead)
        except (Throttled, Unreachable) as error:
            raise _translated(error) from error
        found = {} if row is None else {"Item": to_item(row)}
        return {**found, "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(self._clock(), usegmt=True)}}}

    def scan(self, *, TableName: str, FilterExpression: str, **more: Any) -> Any:  # noqa: N803
        values = from_item(more.get("ExpressionAttributeValues", {}))
        is_wanted = expressions.condition(FilterExpression)
        try:
            rows = self._dynamodb.scan(self._sender, "scan", TableName)
        except (Throttled, Unreachable) as error:
            raise _translated(error) from error
        items = [to_item(row) for row in rows if is_wanted(row, values)]
        key = more.get("ProjectionExpression")
        return {"Items": [{key: item[key]} for item in items] if key == "leaseKey" else items}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "scan"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, **request: Any) -> Iterator[Any]:
        yield self.scan(**request)

    def update_item(self, *, TableName: str, Key: Mapping[str, Any], UpdateExpression: str, **more: Any) -> Any:  # noqa: N803
        names = tuple(more.get("ExpressionAttributeNames", {}).items())
        change = expressions.update(UpdateExpression, names)

        def changed(row: Row, values: Mapping[str, Any]) -> Row:
            change(row, values)
            return row

        kind = "fence" if UpdateExpression.startswith("ADD leaseCounter") else "claim"
        return self._write(kind, TableName, Key, changed, more)

    def put_item(self, *, TableName: str, Item: Mapping[str, Any], **more: Any) -> Any:  # noqa: N803
        row = from_item(Item)
        key = dict([next(iter(Item.items()))])
        return self._write("put", TableName, key, lambda before, values: dict(row), more)

    def delete_item(self, *, TableName: str, Key: Mapping[str, Any], **more: Any) -> Any:  # noqa: N803
        return self._write("delete", TableName, Key, lambda row, values: None, more)

    def _write(self, kind: str, table: str, key: Mapping[str, Any], change: Any, more: Mapping[str, Any]) -> Any:
        names = tuple(more.get("ExpressionAttributeNames", {}).items())
        values = from_item(more.get("ExpressionAttributeValues", {}))
        text = more.get("ConditionExpression", "")
        is_met = expressions.condition(text, names) if text else lambda row, values: True
        name = _key(key)

        def apply() -> Any:
            before = self._dynamodb.row(table, name)
            if not is_met(before or {}, values):
                raise ConditionFailed
            after = change(dict(before) if before is not None else from_item(key), values)
            self._dynamodb.put(table, name, after)
            return {"Attributes": to_item(after)} if after is not None else {}

        try:
            return self._dynamodb.write(self._sender, self._kind(kind, table), apply)
        except (ConditionFailed, Throttled, Unreachable) as error:
            raise _translated(error) from error

    def _kind(self, kind: str, table: str) -> str:
        return kind if table == self._lease_table else f"{kind} of {table}"


def _translated(error: Exception) -> Exception:
    translated: Exception = EndpointConnectionError(endpoint_url="https://dynamodb")
    if not isinstance(error, Unreachable):
        is_condition = isinstance(error, ConditionFailed)
        code = "ConditionalCheckFailedException" if is_condition else "ProvisionedThroughputExceededException"
        translated = ClientError({"Error": {"Code": code, "Message": ""}}, "Request")
    return translated


def _key(key: Mapping[str, Any]) -> str:
    return "/".join(str(value) for value in from_item(key).values())


def from_item(item: Mapping[str, Any]) -> Row:
    """Return the plain values of attributes as boto3 has them."""
    return {name: _plain(value) for name, value in item.items()}


def to_item(row: Row) -> dict[str, Any]:
    """Return attributes as boto3 has them."""
    return {name: _typed(value) for name, value in row.items()}


def _plain(typed: Mapping[str, Any]) -> Any:
    ((kind, value),) = typed.items()
    if kind == "N":
        return int(value) if str(value).lstrip("-").isdigit() else float(value)
    if kind in ("SS", "NS"):
        return frozenset(value)
    if kind == "M":
        return from_item(value)
    return [_plain(entry) for entry in value] if kind == "L" else value


def _typed(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": str(value)}
    if isinstance(value, frozenset):
        return {"SS": sorted(value)}
    if isinstance(value, dict):
        return {"M": to_item(value)}
    return {"L": [_typed(entry) for entry in value]} if isinstance(value, list) else {"S": value}
