"""Terraform makes the pipeline in an AWS on this machine: every attribute is known, and a record reaches the stream.

Runs in `make test`, where `terraform init` gets the provider of AWS: over the network, or from a mirror that the
variables of Terraform name (`TF_CLI_ARGS_init=-plugin-dir=…`). The provider alone takes ten seconds of CPU time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.counting.counts import EVENTS
from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT
from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from tests.support.builders import counted, labelled
from tests.support.cloudformation import REGION
from tests.support.examples import HAS_ALL
from tests.support.paths import ROOT
from tests.support.pipeline_stack import payloads, printed_policy, put_flow_record

pytestmark = [
    pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed"),
    pytest.mark.skipif(not HAS_ALL, reason="takes seconds of CPU time: make test"),
]

# A module as its README shows it, in a configuration that a user has.
CONFIGURATION = """
provider "aws" {{
  region                      = "{region}"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}}

module "flow_logs" {{
  source           = "{source}"
  region           = "{region}"
  vpc_id           = "{vpc}"
  stream_name      = "flows"
  application_name = "counts"
  shard_count      = 1
  instance_service = "ecs-tasks.amazonaws.com"
}}

output "policy" {{
  value = module.flow_logs.instance_policy_arn
}}
"""
NO_CHANGES = 0


class Terraform:
    """The command in a directory, against one AWS."""

    def __init__(self, directory: Path, aws: EmbeddedAWS) -> None:
        self._directory = directory
        self._environ = {**os.environ, **aws.environment()}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it; the result has its exit code and output."""
        return subprocess.run(
            ["terraform", *arguments],
            cwd=self._directory,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def aws() -> Iterator[EmbeddedAWS]:
    with EmbeddedAWS(REGION) as running:
        yield running


def test_the_module_carries_a_flow_record_to_the_stream_as_the_product_reads_it(
    aws: EmbeddedAWS, tmp_path: Path
) -> None:
    """It is valid, makes a flow log and the policy as printed, a record arrives, and a second plan changes nothing."""
    vpc = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    source = ROOT / "deploy" / "terraform"
    (tmp_path / "main.tf").write_text(CONFIGURATION.format(region=REGION, vpc=vpc, source=source))
    terraform = Terraform(tmp_path, aws)
    begun = terraform.run("init", "-input=false", "-no-color")
    if begun.returncode:
        pytest.skip(f"terraform init gets no provider of AWS: {begun.stderr.strip().splitlines()[0]}")

    for step in (["validate"], ["apply", "-auto-approve", "-input=false"]):
        done = terraform.run(*step, "-no-color")
        assert 0 == done.returncode, done.stderr

    (flow_log,) = aws.client("ec2").describe_flow_logs()["FlowLogs"]
    assert (vpc, RECOMMENDED_FORMAT, 60) == (
        flow_log["ResourceId"],
        flow_log["LogFormat"],
        flow_log["MaxAggregationInterval"],
    )
    policy_arn = json.loads(terraform.run("output", "-json").stdout)["policy"]["value"]
    policy = aws.client("iam").get_policy_version(PolicyArn=policy_arn, VersionId="v1")
    assert printed_policy() == policy["PolicyVersion"]["Document"]

    group = flow_log["LogDestination"].partition(":log-group:")[2]
    put_flow_record(aws.client, group, "vpc-1", "subnet-a")
    delta, _ = counted(*payloads(aws.client, "flows"), formats=(flow_log["LogFormat"],))
    assert {"counted": 1} == labelled(delta, EVENTS)

    assert NO_CHANGES == terraform.run("plan", "-detailed-exitcode", "-input=false").returncode
