"""The command `kcl-flowlog policy`: whose policy, on which resources, with which settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kcl_flowlog import cli
from kcl_flowlog.errors import ConfigError

HERE = ("--stream", "flow-logs", "--region", "eu-central-1", "--account", "111111111111")
ROLE = "arn:aws:iam::222222222222:role/reader"
KEY = "arn:aws:kms:eu-central-1:111111111111:key/0b1f5d2c-7a9e"
KINESIS = "arn:aws:kinesis:eu-central-1:111111111111:stream/flow-logs"
TABLE = "arn:aws:dynamodb:eu-central-1:111111111111:table/"
FAN_OUT = ("--retrieval", "fan-out")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.cli, ["policy", *arguments], catch_exceptions=False)


def granted(*arguments: str) -> set[tuple[str, str]]:
    """Return each action with its resources."""
    return {
        (action, resource)
        for statement in json.loads(run(*arguments).stdout)["Statement"]
        for action in statement["Action"]
        for resource in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }


PLAIN = granted(*HERE)
PITR = ("--kcl-property", "workerMetricsPointInTimeRecoveryEnabled=true")
MORE = {
    "encryption": (("--kms-key", KEY), {("kms:Decrypt", KEY)}, set()),
    "fan-out": (
        FAN_OUT,
        {
            ("kinesis:RegisterStreamConsumer", KINESIS),
            ("kinesis:DescribeStreamConsumer", f"{KINESIS}/consumer/*"),
            ("kinesis:SubscribeToShard", f"{KINESIS}/consumer/*"),
        },
        {("kinesis:GetRecords", KINESIS)},
    ),
    "a consumer that exists": (
        (*FAN_OUT, "--kcl-property", f"fanoutConfig.consumerArn={KINESIS}/consumer/flows:1"),
        {("kinesis:SubscribeToShard", f"{KINESIS}/consumer/flows:1")},
        {("kinesis:GetRecords", KINESIS)},
    ),
    "metrics of the KCL": (("--kcl-metrics", "summary"), {("cloudwatch:PutMetricData", "*")}, set()),
    "inventory roles": (("--inventory-role", ROLE), {("sts:AssumeRole", ROLE)}, set()),
    "backups": (PITR, {("dynamodb:UpdateContinuousBackups", f"{TABLE}kcl-flowlog-WorkerMetricStats")}, set()),
    "no option": (
        ("--no-optional",),
        set(),
        {
            ("kinesis:DescribeStreamSummary", KINESIS),
            ("dynamodb:DeleteItem", f"{TABLE}kcl-flowlog-CoordinatorState"),
            ("ec2:DescribeNetworkInterfaces", "*"),
            ("ec2:DescribeFlowLogs", "*"),
            ("ec2:DescribeVpcs", "*"),
        },
    ),
}


@pytest.mark.parametrize("name", MORE)
def test_a_setting_changes_the_policy_by_what_it_needs(name: str) -> None:
    """And by nothing else."""
    arguments, added, removed = MORE[name]

    found = granted(*HERE, *arguments)

    assert (added, removed) == (found - PLAIN, PLAIN - found)


def test_fan_out_needs_what_polling_may_lack() -> None:
    """The KCL finds the stream of its consumer by DescribeStreamSummary."""
    assert ("kinesis:DescribeStreamSummary", KINESIS) in granted(*HERE, *FAN_OUT, "--no-optional")


def test_a_stream_of_another_account_takes_two_policies() -> None:
    """Together they are the policy of one account, and the permission to assume the role."""
    arguments = ("--stream-role", ROLE, *HERE)
    own, of_stream = granted(*arguments), granted(*arguments, "--for", "stream-role")

    there = {(action, resource.replace("111111111111", "222222222222")) for action, resource in PLAIN - own}
    assert of_stream == there
    assert {("sts:AssumeRole", ROLE)} == own - PLAIN
    assert not any(action.startswith("kinesis:") for action, _ in own)


def test_a_role_of_the_inventory_lists_and_does_nothing_else() -> None:
    """In the regions that are read."""
    found = json.loads(
        run(*HERE, "--inventory-role", ROLE, "--inventory-region", "eu-west-1", "--for", "inventory-role").stdout
    )

    assert [["ec2:DescribeSubnets"], ["ec2:DescribeNetworkInterfaces", "ec2:DescribeFlowLogs", "ec2:DescribeVpcs"]] == [
        statement["Action"] for statement in found["Statement"]
    ]
    assert [{"StringEquals": {"aws:RequestedRegion": ["eu-west-1"]}}] * 2 == [
        statement["Condition"] for statement in found["Statement"]
    ]


def test_names_of_application_and_tables_are_those_of_the_settings() -> None:
    """Also a lease table that a property of the KCL names."""
    found = granted(*HERE, "--application", "flows", "--kcl-property", "tableName=leases")

    assert {"leases", "leases/index/*", "flows-CoordinatorState", "flows-WorkerMetricStats"} == {
        resource.removeprefix(TABLE) for action, resource in found if action.startswith("dynamodb:")
    }


def test_the_partition_and_the_account_are_those_of_the_stream() -> None:
    """Without any further option."""
    arn = "arn:aws-cn:kinesis:cn-north-1:333333333333:stream/flow-logs"

    found = granted("--stream", arn)

    assert ("kinesis:GetRecords", arn) in found
    assert ("dynamodb:Query", "arn:aws-cn:dynamodb:cn-north-1:333333333333:table/kcl-flowlog/index/*") in found


def test_the_note_names_the_policies_that_are_missing() -> None:
    """On stderr: the policy itself stays JSON."""
    result = run(*HERE, "--inventory-role", ROLE)

    assert "Note: a role of --inventory-role needs a policy as well; print it with --for inventory-role.\n" == (
        result.stderr
    )


def test_the_table_explains_each_action() -> None:
    """One line each, with the answer to: needed?"""
    lines = run(*HERE, "--output", "table").stdout.splitlines()

    assert len(PLAIN) == len(lines) - 1
    assert {"yes", "no"} == {line.split()[2] for line in lines[1:]}


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no account": (
        ("--stream", "flow-logs", "--region", "eu-central-1"),
        "The account of the instances is unknown; give its twelve digits with --account.",
    ),
    "no key": (
        (*HERE, "--kms-key", "alias/flow-logs"),
        "--kms-key: 'alias/flow-logs' is not a key such as arn:aws:kms:REGION:123456789012:key/ID.",
    ),
    "no role": (
        (*HERE, "--for", "stream-role"),
        "--for stream-role is the policy of the role that --stream-role names; add --stream-role ARN.",
    ),
    "no stream": (
        ("--region", "eu-central-1"),
        "No stream: name the Kinesis stream with --stream NAME or KCL_FLOWLOG_STREAM.",
    ),
    "no ARN": (
        (*HERE, "--inventory-role", "reader"),
        "'reader' is not a role such as arn:aws:iam::123456789012:role/NAME; check --inventory-role.",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_a_sentence(name: str) -> None:
    arguments, sentence = MISTAKES[name]

    with pytest.raises(ConfigError) as refused:
        run(*arguments)

    assert sentence == str(refused.value)


def test_the_text_is_the_policy() -> None:
    """The lines are laid out by hand, and must stay JSON that IAM takes: unique names of letters and digits."""
    policy: dict[str, Any] = json.loads(run(*HERE, "--inventory-role", ROLE, "--inventory-role", ROLE + "2").stdout)
    names = [statement["Sid"] for statement in policy["Statement"]]

    assert len(names) == len(set(names))
    assert all(name.isalnum() for name in names)
