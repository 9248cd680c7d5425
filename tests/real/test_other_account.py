"""Through the real MultiLangDaemon: a stream of another account, by its ARN and a role, beside one of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.envelopes import pack, put
from tests.support.scenario import new_scenario

pytestmark = pytest.mark.daemon

ROLE = "arn:aws:iam::222222222222:role/flow-log-reader"


def client_of(aws: EmbeddedAWS, role: str, service: str) -> Any:
    """Return a client with the credentials of a role."""
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def test_a_stream_of_another_account_is_read_and_never_that_of_the_own(tmp_path: Path) -> None:
    """Leases and inventory are of the own account. Without the role, or with the role of a third, it does not start."""
    with new_scenario(tmp_path) as scenario:
        assert isinstance(scenario.aws, EmbeddedAWS)
        own, other = scenario.aws.client("kinesis"), client_of(scenario.aws, ROLE, "kinesis")
        name = scenario.world.stream
        other.create_stream(StreamName=name, ShardCount=2)
        arn = other.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        assert ":222222222222:" in arn
        # Nobody may count these.
        put(own, name, pack(scenario.traffic.step(1_700_000_000, 10.0, 1000), scenario.world, scenario.ids))
        scenario.put_with(other)
        scenario.put(2000)
        scenario.instance = scenario.another_instance(tmp_path / "role", ("--stream-role", ROLE), arn)

        scenario.instance.start()
        scenario.wait_for_shards()
        scenario.put(1000)

        scenario.verify_counts()
        tables = scenario.aws.client("dynamodb").list_tables()["TableNames"]
        assert "real-test" in tables
        assert [] == client_of(scenario.aws, ROLE, "dynamodb").list_tables()["TableNames"]

        without = scenario.another_instance(tmp_path / "without", stream=arn)
        third = scenario.another_instance(tmp_path / "third", ("--stream-role", ROLE.replace("2", "3")), arn)
        for mistaken in (without, third):
            mistaken.start()
        assert [2, 2] == [mistaken.exit_code() for mistaken in (without, third)]
        assert without.log.endswith("set --stream-role to a role of the account of the stream.\n")
        assert third.log.startswith("Error: --stream belongs to account 222222222222, but --stream-role to account")
