"""The stack of the pipeline: the recommended format, the least policy, and records that reach the stream.

To import moto's CloudFormation and cfn-lint takes six seconds of CPU time, so these tests run in `make test` only.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.counting.counts import EVENTS
from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT
from tests.support.builders import counted, labelled
from tests.support.cloudformation import ACCOUNT, REGION, Template
from tests.support.examples import HAS_ALL
from tests.support.pipeline_stack import KEY, PIPELINE, deploy, payloads, printed_policy, put_flow_record

IN_MAKE_TEST = pytest.mark.skipif(not HAS_ALL, reason="takes seconds of CPU time: make test")


def template(**parameters: object) -> Template:
    return Template(PIPELINE, VpcId="vpc-1", StreamName="flows", ApplicationName="counts", **parameters)


def actions(role: Any) -> set[tuple[str, str]]:
    """Return what a role may do: each action with its resource."""
    return {
        (action, statement["Resource"])
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def test_the_flow_log_has_the_recommended_format() -> None:
    """It can't be changed afterwards."""
    assert RECOMMENDED_FORMAT == template().properties("FlowLog")["LogFormat"]


@pytest.mark.parametrize(("key", "options"), [("", ()), (KEY, ("--kms-key", KEY))], ids=["own key of AWS", "key"])
def test_the_policy_is_what_the_command_prints(key: str, options: tuple[str, ...]) -> None:
    found = template(KmsKeyArn=key).properties("InstancePolicy")["PolicyDocument"]

    assert printed_policy(*options) == found


@pytest.mark.parametrize("key", ["", KEY])
def test_the_subscription_may_put_records_and_nothing_else(key: str) -> None:
    stream = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/flows"
    expected = {("kinesis:PutRecord", stream)} | ({("kms:GenerateDataKey", key)} if key else set())

    assert expected == actions(template(KmsKeyArn=key).properties("SubscriptionRole"))


STREAMS: dict[str, tuple[dict[str, object], dict[str, Any]]] = {
    "on demand": ({}, {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    "shards": ({"ShardCount": 4}, {"StreamModeDetails": {"StreamMode": "PROVISIONED"}, "ShardCount": 4}),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_stream_is_on_demand_or_has_shards_and_is_encrypted(name: str) -> None:
    parameters, expected = STREAMS[name]
    stream = template(**parameters).properties("Stream")

    assert {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"} == stream.pop("StreamEncryption")
    assert {"Name": "flows", "RetentionPeriodHours": 24, **expected} == stream


@pytest.mark.parametrize("service", ["", "pods.eks.amazonaws.com"])
def test_there_is_a_role_for_instances_if_it_is_known_what_they_run_on(service: str) -> None:
    assert (service != "") == ("InstanceRole" in template(InstanceService=service).names)


@IN_MAKE_TEST
def test_cfn_lint_finds_nothing() -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), str(PIPELINE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stdout)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An account with a VPC; gives the id of the VPC."""
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


@IN_MAKE_TEST
def test_the_stack_carries_a_flow_record_to_the_stream_as_the_product_reads_it(account: str) -> None:
    """A flow log, the policy as printed, and a record put on the log group that is counted from the stream."""
    outputs = deploy(client, VpcId=account, StreamName="flows", ApplicationName="counts", ShardCount="1", KmsKeyArn=KEY)
    (flow_log,) = client("ec2").describe_flow_logs()["FlowLogs"]
    assert (account, "/vpc/flow-logs", RECOMMENDED_FORMAT) == (
        flow_log["ResourceId"],
        outputs["LogGroupName"],
        flow_log["LogFormat"],
    )
    policy = client("iam").get_policy_version(PolicyArn=outputs["InstancePolicyArn"], VersionId="v1")
    assert printed_policy("--kms-key", KEY) == policy["PolicyVersion"]["Document"]

    put_flow_record(client, outputs["LogGroupName"], "vpc-1", "subnet-a")

    delta, _ = counted(*payloads(client, outputs["StreamName"]), formats=(flow_log["LogFormat"],))
    assert {"counted": 1} == labelled(delta, EVENTS)
    assert {("subnet-a", "egress", "internet"): [1, 1, 40]} == {
        (series.subnet_id, series.direction, series.peer): sums for series, sums in delta.traffic.items()
    }
