"""Terraform's pipeline is that of CloudFormation: the same format, the policy that the command prints, in order."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest

from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT
from tests.support.cloudformation import ACCOUNT, REGION, Template
from tests.support.paths import ROOT

MODULE = ROOT / "deploy" / "terraform"
MAIN = (MODULE / "main.tf").read_text()
PIPELINE = Template(ROOT / "deploy" / "cloudformation" / "pipeline.yml", VpcId="vpc-1", KmsKeyArn="key")
TABLES = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/kcl-flowlog"
# What the expressions of the module are with its defaults.
EXPRESSIONS = {
    "aws_kinesis_stream.flow_logs.arn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/flow-logs",
    "local.tables": TABLES,
    "var.kms_key_arn": "key",
}


def written_statements() -> dict[str, tuple[list[str], str]]:
    """Return actions and resource of each statement of the instances, by its Sid."""
    block = MAIN[MAIN.index("instance_statements = [") : MAIN.index('resource "')]
    found = {}
    for text in block.split("Sid ")[1:]:
        sid = re.findall(r'= "(\w+)"', text)[0]
        resource = re.findall(r"Resource\s+= (\S+)", text)[0]
        for expression, value in EXPRESSIONS.items():
            resource = resource.replace(f"${{{expression}}}", value).replace(expression, value)
        actions = re.findall(r"Action\s+= \[(.*?)\]", text, re.DOTALL)[0]
        found[sid] = re.findall(r'"([^"]+)"', actions), resource.strip('"')
    return found


def test_the_flow_log_has_the_recommended_format() -> None:
    (written,) = re.findall(r'log_format\s+= "(.*)"', MAIN)

    assert RECOMMENDED_FORMAT == written.replace("$${", "${")


def test_the_policy_is_that_of_the_template() -> None:
    """Which is what `kcl-flowlog policy` prints."""
    statements: list[dict[str, Any]] = PIPELINE.properties("InstancePolicy")["PolicyDocument"]["Statement"]

    assert {each["Sid"]: (each["Action"], each["Resource"]) for each in statements} == written_statements()
    regions = 'Condition = { StringEquals = { "aws:RequestedRegion" = [var.region] } }'
    assert sum("Condition" in each for each in statements) == MAIN.count(regions)


@pytest.mark.parametrize("action", ["kinesis:PutRecord", "kms:GenerateDataKey", "logs:PutLogEvents"])
def test_roles_of_aws_do_the_same(action: str) -> None:
    assert 1 == MAIN.count(f'"{action}"')


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_terraform_reads_the_files_and_would_write_them_alike() -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-diff", "-no-color", str(MODULE)], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stdout)
