"""Through the real MultiLangDaemon, on a Kinesis that reshards: `now` on shards that never had a checkpoint.

Needs the stand-ins that the first `make fleet` downloads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kcl_flowlog.demo.world_builder import WorldSpec, build_world
from tests.fleet.standins import StandIns
from tests.support.downloads import is_downloaded
from tests.support.instance import PAGE_TIMEOUT, Instance
from tests.support.scenario import Scenario
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif(
        not all(map(is_downloaded, ("kinesis", "dynamodb"))),
        reason="needs the stand-ins of `make fleet`",
    ),
]

FROM_NOW = ("--initial-position", "now", "--kcl-property", "parentShardPollIntervalMillis=1000")


@pytest.fixture
def scenario(tmp_path: Path) -> Iterator[Scenario]:
    with ExitStack() as stack:
        standins = stack.enter_context(StandIns(tmp_path))
        world = build_world(standins.client, standins.region, WorldSpec(shards=2))
        standins.client("kinesis").get_waiter("stream_exists").wait(
            StreamName=world.stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        instance = Instance(standins.environment(), world.stream, tmp_path, FROM_NOW)
        stack.callback(instance.kill)
        yield Scenario(standins, world, instance, stack)


def split(scenario: Scenario) -> None:
    """Split the first shard in the middle, and wait until the stream can be used again."""
    kinesis, stream = scenario.aws.client("kinesis"), scenario.world.stream
    (shard,) = (
        shard
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]
        if shard["HashKeyRange"]["StartingHashKey"] == "0"
    )
    middle = str(int(shard["HashKeyRange"]["EndingHashKey"]) // 2)
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def verify_counts_after_a_split(scenario: Scenario, tmp_path: Path) -> None:
    """Put records before and after a split while no instance runs; another instance counts all of them."""
    scenario.put(500)
    split(scenario)
    scenario.put(500)

    scenario.instance = scenario.another_instance(tmp_path / "second", FROM_NOW)
    scenario.instance.start()

    scenario.verify_counts()


def test_children_of_shards_without_a_checkpoint_are_read_whole(scenario: Scenario, tmp_path: Path) -> None:
    """Parents from the first start on, their children from their beginning, by an instance that knew neither."""
    scenario.instance.start()
    scenario.wait_for_shards()
    assert 0 == scenario.instance.stop()

    verify_counts_after_a_split(scenario, tmp_path)


def test_shards_without_a_lease_are_read_from_the_first_start_on(scenario: Scenario, tmp_path: Path) -> None:
    """The first instance dies after it has written the application record, before the KCL has written any lease."""
    dynamodb = scenario.aws.client("dynamodb")

    def has_record() -> bool:
        tables = dynamodb.list_tables()["TableNames"]
        key = {"key": {"S": "flowlog-application"}}
        name = "real-test-CoordinatorState"
        return name in tables and "Item" in dynamodb.get_item(TableName=name, Key=key)

    scenario.instance.start()
    assert eventually(has_record, PAGE_TIMEOUT)
    # The initial position is in whole seconds. In that of a split, kinesis-local lists parents and children alike.
    written = int(time.time())
    scenario.instance.kill()
    assert "real-test" not in dynamodb.list_tables()["TableNames"]
    assert eventually(lambda: int(time.time()) > written, PAGE_TIMEOUT)

    verify_counts_after_a_split(scenario, tmp_path)
