"""The lease table in DynamoDB: reading a row, and the conditions for adding a claim to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.commits.claims import LeaseRow, has_claim, with_claim
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.launcher.leases import LeaseTable

SHARD = "shardId-000000000000"
# As the KCL writes it.
ROW = {
    "leaseKey": {"S": SHARD},
    "leaseOwner": {"S": "worker-1"},
    "leaseCounter": {"N": "7"},
    "checkpoint": {"S": "49590338271490256608559692538361571095921575989136588898"},
    "checkpointSubSequenceNumber": {"N": "2"},
    "ownerSwitchesSinceCheckpoint": {"N": "0"},
}
CHECKPOINT = Position("49590338271490256608559692538361571095921575989136588898", 2)


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-central-1")
        client.create_table(
            TableName="leases",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.put_item(TableName="leases", Item=ROW)
        yield client


@pytest.fixture
def table(dynamodb: Any) -> LeaseTable:
    return LeaseTable(dynamodb, "leases")


def change(dynamodb: Any, name: str, value: dict[str, str]) -> None:
    """Change an attribute as the KCL does."""
    dynamodb.update_item(
        TableName="leases",
        Key={"leaseKey": {"S": SHARD}},
        AttributeUpdates={name: {"Value": value, "Action": "PUT"}},
    )


def test_a_row_is_read(table: LeaseTable) -> None:
    """Its owner, its checkpoint, and no claims so far."""
    assert LeaseRow("worker-1", CHECKPOINT, counter=7) == table.read_row(SHARD)
    assert table.read_row("shardId-000000000009") is None


def test_a_row_is_read_as_it_is_now(table: LeaseTable, dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a consistent read, DynamoDB may answer with a row that has changed since."""
    requests = []
    get_item = dynamodb.get_item

    def record(**request: Any) -> Any:
        requests.append(request)
        return get_item(**request)

    monkeypatch.setattr(dynamodb, "get_item", record)

    table.read_row(SHARD)

    assert [True] == [request["ConsistentRead"] for request in requests]


def test_a_row_may_have_no_owner(table: LeaseTable, dynamodb: Any) -> None:
    """The KCL takes the owner off a lease that was given up."""
    dynamodb.update_item(
        TableName="leases", Key={"leaseKey": {"S": SHARD}}, AttributeUpdates={"leaseOwner": {"Action": "DELETE"}}
    )

    assert LeaseRow("", CHECKPOINT, counter=7) == table.read_row(SHARD)


def test_claims_are_added_one_after_the_other(table: LeaseTable, dynamodb: Any) -> None:
    """The KCL's own attributes stay as they are."""
    for token, suspect in (("first", ""), ("second", "mark")):
        row = table.read_row(SHARD)
        assert row is not None
        assert table.add_claim(SHARD, row, token, suspect)

    row = table.read_row(SHARD)
    assert row is not None
    assert has_claim(row, "first")
    assert has_claim(row, "second")
    assert row.claims.endswith("!mark")
    item = dynamodb.get_item(TableName="leases", Key={"leaseKey": {"S": SHARD}})["Item"]
    del item["flowlogClaims"]
    assert ROW == item


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("leaseOwner", {"S": "worker-2"}),
        ("checkpoint", {"S": "SHARD_END"}),
        ("checkpointSubSequenceNumber", {"N": "3"}),
        ("flowlogClaims", {"S": "other@1"}),
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["the first claim", "a later claim"])
def test_a_row_that_has_changed_gets_no_claim(
    table: LeaseTable, dynamodb: Any, name: str, value: dict[str, str], is_first: bool
) -> None:
    """A claim says what the row was when it was added."""
    if not is_first:
        row = table.read_row(SHARD)
        assert row is not None
        assert table.add_claim(SHARD, row, "before")
    row = table.read_row(SHARD)
    assert row is not None
    change(dynamodb, name, value)

    assert not table.add_claim(SHARD, row, "late")

    after = table.read_row(SHARD)
    assert after is not None
    assert not has_claim(after, "late")


def test_all_rows_with_claims_are_read(table: LeaseTable, dynamodb: Any) -> None:
    """By shard, as they are now; others belong to shards that nobody has claimed, or are no rows of shards."""
    row = table.read_row(SHARD)
    assert row is not None
    assert {} == table.read_claimed_rows()
    assert table.add_claim(SHARD, row, "first")
    dynamodb.put_item(TableName="leases", Item={"leaseKey": {"S": "no shard"}})

    assert {SHARD: table.read_row(SHARD)} == table.read_claimed_rows()


def test_claims_are_replaced_as_long_as_nobody_else_has_changed_them(table: LeaseTable, dynamodb: Any) -> None:
    """Whatever the checkpoint and the counter are by then; not for another owner."""
    row = table.read_row(SHARD)
    assert row is not None
    assert table.add_claim(SHARD, row, "first")
    row = table.read_row(SHARD)
    assert row is not None
    change(dynamodb, "leaseCounter", {"N": "9"})
    change(dynamodb, "checkpoint", {"S": "SHARD_END"})

    assert table.replace_claims(SHARD, row, "changed@1")
    assert not table.replace_claims(SHARD, row, "late@1")
    row = table.read_row(SHARD)
    assert row is not None
    change(dynamodb, "leaseOwner", {"S": "worker-2"})
    assert not table.replace_claims(SHARD, row, "late@1")
    row = table.read_row(SHARD)
    assert row is not None
    assert "changed@1" == row.claims


def test_a_deleted_row_is_not_created_again(table: LeaseTable, dynamodb: Any) -> None:
    """A row without the KCL's attributes would stop the KCL."""
    row = table.read_row(SHARD)
    assert row is not None
    dynamodb.delete_item(TableName="leases", Key={"leaseKey": {"S": SHARD}})

    assert not table.add_claim(SHARD, row, "late")
    assert table.read_row(SHARD) is None


def put_row(dynamodb: Any, shard_id: str, **attributes: dict[str, str]) -> None:
    dynamodb.put_item(TableName="leases", Item={**ROW, "leaseKey": {"S": shard_id}, **attributes})


def counters(dynamodb: Any) -> dict[str, str]:
    return {row["leaseKey"]["S"]: row["leaseCounter"]["N"] for row in dynamodb.scan(TableName="leases")["Items"]}


def test_a_fence_adds_two_to_the_counters_of_one_worker(table: LeaseTable, dynamodb: Any) -> None:
    """The daemon takes a counter that is higher by one for the effect of its last request; other rows stay."""
    put_row(dynamodb, "another-owner", leaseOwner={"S": "worker-2"})
    put_row(dynamodb, "handed-off", leaseOwner={"S": "worker-2"}, checkpointOwner={"S": "worker-1"})
    dynamodb.put_item(
        TableName="leases", Item={key: ROW[key] for key in ROW if key != "leaseOwner"} | {"leaseKey": {"S": "free"}}
    )

    assert 2 == table.fence("worker-1")
    assert {SHARD: "9", "another-owner": "7", "handed-off": "9", "free": "7"} == counters(dynamodb)


def test_a_fence_reads_every_page_as_it_is_now(
    table: LeaseTable, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that it missed would stay in the hands of the earlier start."""
    put_row(dynamodb, "second")
    scan = dynamodb.scan
    reads = []

    def scan_one_by_one(**request: Any) -> Any:
        reads.append(request["ConsistentRead"])
        return scan(**request, Limit=1)

    monkeypatch.setattr(dynamodb, "scan", scan_one_by_one)

    assert 2 == table.fence("worker-1")
    assert all(reads)
    assert len(reads) > 1


def test_a_row_that_moves_before_the_fence_is_left_alone(
    table: LeaseTable, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new owner has changed the counter, which is as good."""
    update_item = dynamodb.update_item

    def move_first(**request: Any) -> Any:
        put_row(dynamodb, SHARD, leaseOwner={"S": "worker-2"})
        return update_item(**request)

    monkeypatch.setattr(dynamodb, "update_item", move_first)

    assert 0 == table.fence("worker-1")
    assert {SHARD: "7"} == counters(dynamodb)


def test_a_worker_owns_the_shards_of_its_rows(table: LeaseTable, dynamodb: Any) -> None:
    """Without those that are read to their end, as nobody reads them again."""
    put_row(dynamodb, "another-owner", leaseOwner={"S": "worker-2"}, checkpointOwner={"S": "worker-1"})
    put_row(dynamodb, "ended", checkpoint={"S": "SHARD_END"})
    put_row(dynamodb, "second")

    assert {SHARD, "second"} == table.shards_of("worker-1")


def test_there_is_nothing_to_fence_before_the_first_start(table: LeaseTable, dynamodb: Any) -> None:
    """The KCL creates the table later."""
    dynamodb.delete_table(TableName="leases")

    assert 0 == table.fence("worker-1")
    assert set() == table.shards_of("worker-1")


def test_another_error_is_raised(table: LeaseTable, dynamodb: Any) -> None:
    """Only a failed condition means that the row has changed."""
    dynamodb.delete_table(TableName="leases")

    with pytest.raises(AWS_ERRORS):
        table.add_claim(SHARD, LeaseRow("worker-1", CHECKPOINT), "late")


def test_a_claim_that_is_added_twice_changes_nothing(table: LeaseTable) -> None:
    """A request may arrive twice; the first has changed the condition of the second."""
    row = table.read_row(SHARD)
    assert row is not None
    assert table.add_claim(SHARD, row, "first")
    before = table.read_row(SHARD)
    assert before == row._replace(claims=with_claim(row, "first"))

    assert not table.add_claim(SHARD, row, "first")
    assert before == table.read_row(SHARD)


def test_shards_that_are_read_to_their_end_need_no_heap(dynamodb: Any, table: LeaseTable) -> None:
    checkpoints = {"shardId-1": "SHARD_END", "shardId-2": "TRIM_HORIZON"}
    for shard_id, checkpoint in checkpoints.items():
        dynamodb.put_item(TableName="leases", Item={"leaseKey": {"S": shard_id}, "checkpoint": {"S": checkpoint}})

    assert 2 == table.count_shards()
    assert 0 == LeaseTable(dynamodb, "not-there-yet").count_shards()
