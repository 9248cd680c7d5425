"""Checks of the application's tables in DynamoDB: whose they are, and each permission by a call that changes nothing.

A write has a condition that nothing fulfils, and a key that nobody has. DynamoDB judges the permission first, so any
other answer than a refusal means that it is there; also that the table is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kcl_flowlog.checks.permissions import COORDINATOR, LEASES, OWNERS, PERMISSIONS, WORKERS
from kcl_flowlog.checks.result import FAIL, OK, WARN, Finding
from kcl_flowlog.checks.world import World
from kcl_flowlog.inventory.aws import BRIEFLY
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, is_failed_condition, is_not_found
from kcl_flowlog.launcher.application import Application
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable
from kcl_flowlog.launcher.leases import LeaseTable

_NOBODY = {"S": "flowlog-check"}
_KEYS = {LEASES: "leaseKey", OWNERS: "leaseKey", COORDINATOR: "key", WORKERS: "wid"}
_INDEX = "LeaseOwnerToLeaseKeyIndex"

Probe = Callable[[Any, str, str], Any]


def _condition(key: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_exists(#key) AND attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": key},
    }


PROBES: Mapping[str, Probe] = {
    "dynamodb:DescribeTable": lambda client, table, key: client.describe_table(TableName=table),
    "dynamodb:Scan": lambda client, table, key: client.scan(TableName=table, Limit=1),
    "dynamodb:GetItem": lambda client, table, key: client.get_item(TableName=table, Key={key: _NOBODY}),
    "dynamodb:PutItem": lambda client, table, key: client.put_item(
        TableName=table, Item={key: _NOBODY}, **_condition(key)
    ),
    "dynamodb:UpdateItem": lambda client, table, key: client.update_item(
        TableName=table, Key={key: _NOBODY}, **_condition(key)
    ),
    "dynamodb:DeleteItem": lambda client, table, key: client.delete_item(
        TableName=table, Key={key: _NOBODY}, **_condition(key)
    ),
    "dynamodb:Query": lambda client, table, key: client.query(
        TableName=table,
        IndexName=_INDEX,
        KeyConditionExpression="leaseOwner = :nobody",
        ExpressionAttributeValues={":nobody": _NOBODY},
    ),
}
"""A harmless call for each action; the others can't be tried without an effect."""


def permissions(world: World) -> Iterator[Finding]:
    """Each action on the tables that can be tried is permitted."""
    client = world.aws.client("dynamodb", **BRIEFLY)
    tables = world.tables
    names = {
        LEASES: tables.leases,
        OWNERS: tables.leases,
        COORDINATOR: tables.coordinator,
        WORKERS: tables.worker_metrics,
    }
    tried = 0
    is_complete = True
    for row in PERMISSIONS:
        if row.resource not in names or row.action not in PROBES:
            continue
        tried += 1
        table = names[row.resource]
        if _is_refused(PROBES[row.action], client, table, _KEYS[row.resource]):
            is_complete = False
            lost = row.without or "kcl-flowlog policy prints what is needed"
            yield (FAIL if row.is_required else WARN), f"missing permission {row.action} on {table}; {lost}"
    if is_complete:
        yield OK, f"{tried} actions are permitted; CreateTable and UpdateTable can't be tried"


def _is_refused(probe: Probe, client: Any, table: str, key: str) -> bool:
    try:
        probe(client, table, key)
    except AWS_ERRORS as error:
        if is_denied(error):
            return True
        # An index that is missing is an invalid request.
        if not is_failed_condition(error) and not is_not_found(error) and probe is not PROBES["dynamodb:Query"]:
            raise
    return False


def application(world: World) -> Iterator[Finding]:
    """The application is new, or reads this stream."""
    client = world.aws.client("dynamodb", **BRIEFLY)
    table = CoordinatorTable(client, world.tables.coordinator, world.config.kcl_property)
    record = Application(world.config.application, table, world.tables, world.stream.name, world.stream_identity, "")
    position = record.recorded()
    shards = LeaseTable(client, world.tables.leases).shards()
    if position is None and shards:
        yield (
            WARN,
            f"table {world.tables.leases} has leases, but of no application of kcl-flowlog; if it is not meant, choose"
            " another --application",
        )
    elif position is None:
        yield OK, f"{world.config.application} is new and begins at --initial-position {world.config.initial_position}"
    elif shards and world.shards and shards.isdisjoint(world.shards):
        yield FAIL, f"the leases in {world.tables.leases} are of another stream; choose another --application"
    else:
        yield OK, f"{world.config.application} began at {position}; {len(shards)} leases"
