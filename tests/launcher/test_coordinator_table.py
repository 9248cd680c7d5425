"""The table of coordinator state: its creation as the KCL creates it, and conditional writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable
from tests.support.coordinator import DENIED, FAILED, dynamodb, fail_once, never
from tests.support.ec2 import client_error

NAME = "flows-CoordinatorState"


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


def table(client: Any, properties: Mapping[str, str] | None = None) -> CoordinatorTable:
    return CoordinatorTable(client, NAME, properties or {}, clock=lambda: 77.0)


@pytest.fixture
def existing(client: Any) -> CoordinatorTable:
    made = table(client)
    assert made.create(never)
    return made


def test_the_table_is_created_as_the_kcl_creates_it(client: Any, existing: CoordinatorTable) -> None:
    """With its key, on demand."""
    description = client.describe_table(TableName=NAME)["Table"]

    assert [{"AttributeName": "key", "KeyType": "HASH"}] == description["KeySchema"]
    assert [{"AttributeName": "key", "AttributeType": "S"}] == description["AttributeDefinitions"]
    assert "PAY_PER_REQUEST" == description["BillingModeSummary"]["BillingMode"]
    assert not description["DeletionProtectionEnabled"]


def test_the_users_properties_of_the_table_are_used(client: Any) -> None:
    """The KCL leaves a table that exists as it is."""
    properties = {
        "coordinatorStateBillingMode": "PROVISIONED",
        "coordinatorStateReadCapacity": "3",
        "coordinatorStateWriteCapacity": "4",
        "coordinatorStateDeletionProtectionEnabled": "true",
        "coordinatorStatePointInTimeRecoveryEnabled": "true",
        "coordinatorStateTags": "team=net, stage = prod,invalid",
    }

    assert table(client, properties).create(never)

    description = client.describe_table(TableName=NAME)["Table"]
    throughput = description["ProvisionedThroughput"]
    assert (3, 4) == (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"])
    assert description["DeletionProtectionEnabled"]
    backups = client.describe_continuous_backups(TableName=NAME)["ContinuousBackupsDescription"]
    assert "ENABLED" == backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    tags = client.list_tags_of_resource(ResourceArn=description["TableArn"])["Tags"]
    assert [{"Key": "team", "Value": "net"}, {"Key": "stage", "Value": "prod"}] == tags


def test_a_capacity_that_is_no_number_is_an_error_of_the_user(client: Any) -> None:
    """The KCL would ignore it."""
    properties = {"coordinatorStateBillingMode": "PROVISIONED", "coordinatorStateReadCapacity": "many"}

    with pytest.raises(ConfigError, match="coordinatorStateReadCapacity is 'many'"):
        table(client, properties).create(never)


def test_a_table_that_another_instance_has_just_created_is_used(client: Any, existing: CoordinatorTable) -> None:
    """Several instances start a new application at the same time."""
    existing.put("first", {"a": "1"})

    assert table(client).create(never)
    assert {"key": "first", "a": "1"} == existing.read("first").item


def test_a_new_table_is_awaited(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers of DynamoDB do not know it yet, others are still creating it."""
    states: list[Any] = [client_error("ResourceNotFoundException"), "CREATING", "ACTIVE"]
    waits: list[float] = []

    def describe(**_: Any) -> Any:
        state = states.pop(0)
        if isinstance(state, Exception):
            raise state
        return {"Table": {"TableStatus": state}}

    monkeypatch.setattr(client, "describe_table", describe)

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    assert table(client).create(wait)
    assert [1.0, 1.0] == waits


def test_a_stop_ends_the_wait_for_a_table(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take a minute."""
    monkeypatch.setattr(client, "describe_table", lambda **_: {"Table": {"TableStatus": "CREATING"}})

    assert not table(client).create(lambda _: True)


def test_a_missing_permission_to_create_the_table_is_one_sentence(client: Any) -> None:
    """It says what to do, with or without the permission."""
    fail_once(client, "create_table", DENIED)

    with pytest.raises(ConfigError) as refused:
        table(client).create(never)

    assert (
        f"No permission to create the table {NAME} in DynamoDB; allow dynamodb:CreateTable, or create it with the"
        " partition key `key`, a string." == str(refused.value)
    )


def test_another_error_of_the_creation_is_raised(client: Any) -> None:
    """The caller tries again."""
    fail_once(client, "create_table", FAILED)

    with pytest.raises(AWS_ERRORS):
        table(client).create(never)


def test_an_item_is_put_once(existing: CoordinatorTable) -> None:
    """The second instance finds that of the first."""
    assert existing.read("x").item is None

    assert existing.put("x", {"nonce": "a"})
    assert not existing.put("x", {"nonce": "b"})
    assert {"key": "x", "nonce": "a"} == existing.read("x").item


def test_an_item_is_replaced_and_deleted_only_as_expected(existing: CoordinatorTable) -> None:
    """Whatever another instance did in between."""
    existing.put("x", {"nonce": "a", "beat": "1"})

    assert not existing.put("x", {"nonce": "b", "beat": "0"}, replaces={"nonce": "a", "beat": "0"})
    assert existing.put("x", {"nonce": "b", "beat": "0"}, replaces={"nonce": "a", "beat": "1"})
    assert not existing.delete("x", {"nonce": "a"})
    assert {"key": "x", "nonce": "b", "beat": "0"} == existing.read("x").item
    assert existing.delete("x", {"nonce": "b"})
    assert existing.read("x").item is None
    assert not existing.put("x", {"nonce": "b"}, replaces={"nonce": "b"})


def test_an_item_is_read_as_it_is_now(client: Any, existing: CoordinatorTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an instance might miss what the last has written."""
    requests: list[Any] = []

    def get_item(**request: Any) -> Any:
        requests.append(request)
        return {}

    monkeypatch.setattr(client, "get_item", get_item)

    existing.read("x")

    assert [True] == [request["ConsistentRead"] for request in requests]


def test_the_kcls_own_items_can_be_read(client: Any, existing: CoordinatorTable) -> None:
    """Attributes that are no texts are left out."""
    item = {"key": {"S": "Migration3.0"}, "cv": {"S": "CLIENT_VERSION_3X"}, "mts": {"N": "5"}}
    client.put_item(TableName=NAME, Item=item)

    assert {"key": "Migration3.0", "cv": "CLIENT_VERSION_3X"} == existing.read("Migration3.0").item


@pytest.mark.parametrize(
    ("headers", "moment"),
    [
        ({"date": "Sat, 31 Jan 2026 12:00:00 GMT"}, 1_769_860_800.0),
        ({"date": "soon"}, 77.0),
        ({}, 77.0),
    ],
    ids=["a date", "no date", "no header"],
)
def test_the_moment_is_that_of_aws(
    client: Any, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], moment: float
) -> None:
    """The clock of this machine counts only if AWS does not tell."""
    monkeypatch.setattr(client, "get_item", lambda **_: {"ResponseMetadata": {"HTTPHeaders": headers}})

    assert moment == table(client).read("x").moment


def test_another_error_of_a_write_is_raised(client: Any, existing: CoordinatorTable) -> None:
    """Only a failed condition means that the item has changed."""
    fail_once(client, "put_item", FAILED)

    with pytest.raises(AWS_ERRORS):
        existing.put("x", {})
