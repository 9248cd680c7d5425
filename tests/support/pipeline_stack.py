"""The pipeline in an AWS that moto plays: the stack, records put on its log group, what comes, and the policy."""

from __future__ import annotations

import gzip
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

from click.testing import CliRunner

from kcl_flowlog import cli
from kcl_flowlog.counting.recommended_format import COSTS
from tests.support.cloudformation import ACCOUNT, REGION, Template
from tests.support.paths import ROOT

PIPELINE = ROOT / "deploy" / "cloudformation" / "pipeline.yml"
# Without a key, moto refuses the stack: it does not know AWS::NoValue in a policy.
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0b1f5d2c-7a9e"
# All other fields are missing.
_RECORD = {
    "version": "10",
    "account-id": ACCOUNT,
    "interface-id": "eni-a",
    "flow-direction": "egress",
    "srcaddr": "10.0.1.10",
    "srcport": "40000",
    "dstaddr": "192.0.2.1",
    "dstport": "443",
    "protocol": "6",
    "packets": "1",
    "bytes": "40",
    "start": "1700000000",
    "end": "1700000060",
    "action": "ACCEPT",
    "log-status": "OK",
}


def deploy(client: Callable[[str], Any], **parameters: str) -> dict[str, str]:
    """Create the stack; return its outputs. moto has no subscriptions in stacks, so ours is made by hand."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client("cloudformation").create_stack(
            StackName="pipeline",
            TemplateBody=PIPELINE.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )
    (stack,) = client("cloudformation").describe_stacks()["Stacks"]
    assert "CREATE_COMPLETE" == stack["StackStatus"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    wanted = Template(PIPELINE, **parameters).properties("Subscription")
    client("logs").put_subscription_filter(
        logGroupName=outputs["LogGroupName"],
        filterName=wanted["FilterName"],
        filterPattern=wanted["FilterPattern"],
        destinationArn=outputs["StreamArn"],
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/made-by-hand",
        distribution=wanted["Distribution"],
    )
    return outputs


def put_flow_record(client: Callable[[str], Any], group: str, vpc_id: str, subnet_id: str) -> None:
    """Write a line on the log group as the flow log would: an accepted flow to the internet, 1 packet of 40 bytes."""
    known = {**dict.fromkeys(COSTS, "-"), **_RECORD, "vpc-id": vpc_id, "subnet-id": subnet_id}
    logs = client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName="eni-a-all")
    event = {"timestamp": int(time.time() * 1000), "message": " ".join(known[name] for name in COSTS)}
    logs.put_log_events(logGroupName=group, logStreamName="eni-a-all", logEvents=[event])


def payloads(client: Callable[[str], Any], stream: str) -> list[bytes]:
    """Return everything on the stream's only shard. An event's id is text, as on AWS; moto writes a number."""
    kinesis = client("kinesis")
    (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=iterator)["Records"]
    return [gzip.compress(gzip.decompress(record["Data"]).replace(b'"id":0', b'"id":"0"')) for record in records]


def printed_policy(*options: str) -> Any:
    """Return what `kcl-flowlog policy` prints for the stream `flows` and the application `counts`."""
    arguments = ["policy", "--stream", "flows", "--region", REGION, "--account", ACCOUNT, "--application", "counts"]
    return json.loads(CliRunner().invoke(cli.cli, [*arguments, *options], catch_exceptions=False).stdout)
