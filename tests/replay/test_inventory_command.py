"""The command `kcl-flowlog inventory`, over an embedded EC2."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner
from moto import mock_aws

from kcl_flowlog import cli
from kcl_flowlog.errors import ConfigError

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """Makes a subnet with an interface; the value has their ids and the interface's address."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        ec2: Any = boto3.client("ec2", REGION)
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
        yield {
            "subnet": subnet,
            "interface": interface["NetworkInterfaceId"],
            "address": interface["PrivateIpAddress"],
        }


@pytest.fixture(autouse=True)
def same_logging() -> Iterator[None]:
    """Leaves logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.cli, list(arguments), catch_exceptions=False)


def test_replay_reads_the_file(aws: dict[str, str], tmp_path: Path) -> None:
    """So a replay needs no credentials."""
    path = tmp_path / "inventory.json"
    flows = tmp_path / "flows.log"
    flows.write_text(f"interface-id srcaddr dstaddr bytes\n{aws['interface']} {aws['address']} 192.0.2.1 70\n")

    written = run("inventory", "--region", REGION, "--output", str(path))
    report = json.loads(run("replay", "--inventory", str(path), "--output", "json", str(flows)).stdout)

    assert "" == written.stdout
    assert [("egress", 70)] == [(series["direction"], series["bytes"]) for series in report["subnets"][aws["subnet"]]]


def test_it_may_go_to_standard_output(aws: dict[str, str]) -> None:
    """For another program."""
    content = json.loads(run("inventory", "--region", REGION).stdout)

    assert aws["subnet"] in [subnet["subnet_id"] for subnet in content["subnets"]]


def test_a_file_that_can_not_be_written_is_a_sentence(aws: dict[str, str], tmp_path: Path) -> None:
    """The system says why."""
    path = tmp_path / "missing" / "inventory.json"

    with pytest.raises(ConfigError) as refused:
        run("inventory", "--region", REGION, "--output", str(path))

    assert f"--output: {path} can't be written: No such file or directory." == str(refused.value)
