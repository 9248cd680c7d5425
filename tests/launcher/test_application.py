"""The application record: who writes it, what it decides, and which instances it refuses."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import StreamIdentity
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.launcher.application import KEY, Application, Position
from kcl_flowlog.launcher.table_names import TableNames
from tests.support.coordinator import FAILED, FakeTable, never

TABLES = TableNames("flows", "flows-CoordinatorState", "flows-WorkerMetricStats")
ARN = "arn:aws:kinesis:eu-central-1:111111111111:stream/flow-logs"
OTHER_ARN = "arn:aws:kinesis:eu-central-1:111111111111:stream/other"
CREATED = 1_760_000_000
IDENTITY = StreamIdentity(ARN, CREATED)
NOW = 1_769_860_800
DELETION = "delete its tables flows, flows-CoordinatorState and flows-WorkerMetricStats."


class World:
    """A table that does not exist yet, and instances."""

    def __init__(self) -> None:
        self.table = FakeTable(exists=False)

    def application(
        self, stream: str = "flow-logs", identity: StreamIdentity | None = IDENTITY, first_start: str = ""
    ) -> Application:
        return Application("flows", self.table, TABLES, stream, identity, first_start)

    def agree(self, position: Position = "now", **instance: Any) -> str | None:
        return self.application(**instance).agree(position, never)

    def refusal(self, **instance: Any) -> str:
        with pytest.raises(ConfigError) as refused:
            self.agree(**instance)
        return str(refused.value)

    def record(self) -> dict[str, str]:
        return self.table.items[KEY]


@pytest.fixture
def world() -> World:
    return World()


def test_now_is_the_first_start_of_the_first_instance(world: World) -> None:
    """By the clock of AWS, in whole seconds; later starts and other instances begin there, too."""
    first = world.agree()
    world.table.now += 3600

    assert str(NOW) == first
    assert first == world.agree()


def test_the_record_holds_the_stream_and_the_position(world: World) -> None:
    """The table is created if it is missing."""
    world.agree()

    assert {
        "key": KEY,
        "schema": "1",
        "stream": "flow-logs",
        "streamArn": ARN,
        "streamCreatedAt": str(CREATED),
        "initialPosition": str(NOW),
    } == world.record()


def test_an_arn_without_a_time_of_creation_is_recorded(world: World) -> None:
    """Nothing may describe the stream, but its ARN is certain; an instance that may describe it fits."""
    world.agree(identity=StreamIdentity(ARN, None))

    assert ARN == world.record()["streamArn"]
    assert "streamCreatedAt" not in world.record()
    assert str(NOW) == world.agree()


def test_a_stream_of_that_name_in_another_account_is_refused(world: World) -> None:
    """Also if nothing tells when either was created."""
    world.agree(identity=StreamIdentity(ARN, None))

    sentence = world.refusal(identity=StreamIdentity(ARN.replace("111111111111", "222222222222"), None))

    assert sentence.startswith(f"The application flows reads the stream {ARN}, not ")


@pytest.mark.parametrize(
    ("position", "text"),
    [("trim-horizon", "trim-horizon"), (datetime(2026, 1, 31, 12, tzinfo=timezone.utc), "1769860800")],
)
def test_the_position_of_the_first_instance_is_that_of_all(world: World, position: Position, text: str) -> None:
    """The lease row of a shard without a checkpoint does not hold the moment: each reader brings its own."""
    assert text == world.agree(position)
    assert text == world.agree("now")
    assert text == world.agree(datetime(2001, 1, 1, tzinfo=timezone.utc))


def test_the_first_start_of_an_earlier_version_is_kept(world: World) -> None:
    """Its leases without a checkpoint begin there."""
    assert "1700000000" == world.agree(first_start="1700000000")


def test_the_first_start_of_an_earlier_version_changes_no_record(world: World) -> None:
    """Other instances begin at the record's position already."""
    world.agree()

    assert str(NOW) == world.agree(first_start="1700000000")


def test_of_two_first_instances_one_writes_the_record(world: World) -> None:
    """The other finds it at its next try."""
    world.table.before_write.append(lambda: world.agree("trim-horizon"))

    assert world.agree() is None
    assert "trim-horizon" == world.agree()


def test_another_stream_is_refused(world: World) -> None:
    """The sentence names both and says what to do."""
    world.agree()

    assert (
        f"The application flows reads the stream {ARN}, not {OTHER_ARN}; choose another --application, or stop all its"
        f" instances and {DELETION}" == world.refusal(stream="other", identity=StreamIdentity(OTHER_ARN, CREATED))
    )


def test_a_stream_of_the_same_name_in_another_account_is_refused(world: World) -> None:
    """Stand-ins and endpoints may mix what AWS keeps apart."""
    world.agree()
    arn = ARN.replace("111111111111", "222222222222")

    assert f"reads the stream {ARN}, not {arn};" in world.refusal(identity=StreamIdentity(arn, CREATED))


def test_a_stream_that_was_created_again_is_refused(world: World) -> None:
    """Its sequence numbers are others, and the KCL would find no shard at its checkpoints."""
    world.agree()

    assert (
        f"The application flows reads the stream {ARN} of 2025-10-09T08:53:20Z, which was deleted and created again at"
        " 2025-10-09T08:55:00Z, so its checkpoints do not fit; choose another --application, or stop all its instances"
        f" and {DELETION}" == world.refusal(identity=StreamIdentity(ARN, CREATED + 100))
    )


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_rounded_creation_time_is_the_same(world: World, off: int) -> None:
    """It is the same stream, whatever its number suffered on the way."""
    world.agree()

    assert str(NOW) == world.agree(identity=StreamIdentity(ARN, CREATED + off))


def test_without_permission_to_describe_the_stream_its_name_decides(world: World) -> None:
    """Whichever of the instances has the permission."""
    world.agree(identity=None)

    assert str(NOW) == world.agree()
    assert "reads the stream flow-logs, not other;" in world.refusal(stream="other", identity=None)
    assert f"not {OTHER_ARN};" in world.refusal(stream="other", identity=StreamIdentity(OTHER_ARN, CREATED))


def test_with_a_full_record_the_name_is_checked_without_permission(world: World) -> None:
    """The ARN of the other stream is not known here."""
    world.agree()

    assert str(NOW) == world.agree(identity=None)
    assert f"reads the stream {ARN}, not other;" in world.refusal(stream="other", identity=None)


def test_a_record_of_a_newer_version_is_refused(world: World) -> None:
    """It may mean something that this version does not know."""
    world.agree()
    world.table.put(KEY, {**world.record(), "schema": "2"}, replaces={"schema": "1"})

    assert (
        "The application flows has a record of schema 2, but this version of kcl-flowlog knows 1; install the version"
        " that the other instances have." == world.refusal()
    )


def test_a_failing_dynamodb_decides_nothing(world: World) -> None:
    """The caller tries again."""
    world.table.exists = True
    world.table.errors.append(FAILED)

    with pytest.raises(AWS_ERRORS):
        world.agree()


def test_a_stop_while_the_table_is_created_writes_nothing(world: World) -> None:
    """The next start finds the table."""
    assert world.application().agree("now", lambda _: True) is None
    assert {} == world.table.items
