"""The lock of the KCL's leader in DynamoDB: when it is deleted, and what is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.launcher.leader_lock import LeaderLock

TABLE = "flows-CoordinatorState"
# As the KCL writes them; the other row belongs to its migration from 2.x.
OTHER_ROW = {"key": {"S": "Migration3.0"}, "cv": {"S": "CLIENT_VERSION_3X"}}
LOCK = {
    "key": {"S": "Leader"},
    "ownerName": {"S": "worker-1"},
    "recordVersionNumber": {"S": "8f428277-69c1-4869-9540-ef81c8cac5bf"},
    "leaseDuration": {"S": "120000"},
}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-central-1")


@pytest.fixture
def rows(dynamodb: Any) -> Callable[[], list[str]]:
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=TABLE, Item=OTHER_ROW)
    return lambda: [row["key"]["S"] for row in dynamodb.scan(TableName=TABLE)["Items"]]


@pytest.mark.parametrize(
    ("worker_id", "left", "logged"),
    [
        ("worker-1", ["Migration3.0"], ["Released the leader lock, so that another worker can lead at once"]),
        ("worker-2", ["Leader", "Migration3.0"], []),
    ],
    ids=["its lock", "the lock of another worker"],
)
def test_only_its_own_lock_is_deleted(
    dynamodb: Any,
    rows: Callable[[], list[str]],
    caplog: pytest.LogCaptureFixture,
    worker_id: str,
    left: list[str],
    logged: list[str],
) -> None:
    """And no other row of the table."""
    caplog.set_level(logging.INFO)
    dynamodb.put_item(TableName=TABLE, Item=LOCK)

    LeaderLock(dynamodb, TABLE, worker_id).release()

    assert left == sorted(rows())
    assert [(logging.INFO, message) for message in logged] == [
        (record.levelno, record.getMessage()) for record in caplog.records
    ]


@pytest.mark.usefixtures("rows")
def test_nothing_is_logged_if_nobody_leads(dynamodb: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The first start of an application."""
    caplog.set_level(logging.INFO)
    LeaderLock(dynamodb, TABLE, "worker-1").release()
    assert not caplog.records


def test_nothing_is_logged_if_the_table_is_missing(dynamodb: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Before the first start of an application."""
    caplog.set_level(logging.INFO)
    LeaderLock(dynamodb, TABLE, "worker-1").release()
    assert not caplog.records


def test_a_failure_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The lock expires by itself, so a start or a stop goes on."""
    with mock_aws():
        nowhere = boto3.client(
            "dynamodb",
            region_name="eu-central-1",
            endpoint_url="http://127.0.0.1:1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=boto3.session.Config(retries={"total_max_attempts": 1}),
        )
    LeaderLock(nowhere, TABLE, "worker-1").release()
    (record,) = caplog.records
    assert logging.WARNING == record.levelno
    assert record.getMessage().startswith("Leader lock not released;")
    assert TABLE == record.__dict__["fields"]["table"]
    assert "127.0.0.1:1" in str(record.__dict__["fields"]["error"])
