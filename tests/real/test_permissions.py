"""Through the real MultiLangDaemon, on an AWS that permits only what is required, and ec2:DescribeFlowLogs.

The VPCs of this network have the same addresses, and only the flow logs tell which VPC a log group is of.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from kcl_flowlog.checks.permissions import DAEMON, LAUNCHER
from kcl_flowlog.checks.policy import OWN, Roles, document
from kcl_flowlog.config import Config
from kcl_flowlog.demo.embedded_aws import REGION, EmbeddedAWS
from kcl_flowlog.demo.world_builder import build_world
from tests.support.guarded_aws import ASKED, POLICY
from tests.support.instance import Instance
from tests.support.measuring import unmeasured
from tests.support.policies import ACCOUNT
from tests.support.scenario import Scenario

pytestmark = pytest.mark.daemon

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/real-test"
# Only after a shard or a worker is gone, or after half a minute as the leader.
LATER = {
    ("dynamodb:DeleteItem", TABLE),
    ("dynamodb:DeleteItem", f"{TABLE}-WorkerMetricStats"),
    ("dynamodb:UpdateItem", f"{TABLE}-CoordinatorState"),
}
# Asked for and refused: the leader's lock at the end.
OPTIONAL = {("dynamodb:DeleteItem", f"{TABLE}-CoordinatorState")}


def test_with_the_required_permissions_alone_the_counts_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses are learned: overlapping VPCs, IPv6, secondary addresses and both ends of a flow change no count."""
    config = Config(stream="flow-logs", application="real-test")
    grants = [
        grant
        for grant in Roles(config, REGION, ACCOUNT).grants(OWN)
        if grant.permission.is_required or grant.permission.action == "ec2:DescribeFlowLogs"
    ]
    (tmp_path / "policy").write_text(json.dumps(document(grants)))
    monkeypatch.setenv(POLICY, str(tmp_path / "policy"))
    monkeypatch.setenv(ASKED, str(tmp_path / "asked"))
    with ExitStack() as stack:
        with unmeasured():
            aws = stack.enter_context(EmbeddedAWS(argv=(sys.executable, "-m", "tests.support.guarded_aws")))
        world = build_world(aws.client, aws.region)
        environ = {**aws.environment(), "AWS_ACCESS_KEY_ID": "product"}
        instance = Instance(environ, world.stream, tmp_path)
        stack.callback(instance.kill)
        scenario = Scenario(aws, world, instance, stack)
        # Put before the first start, so that a shard's first batch has records of every interface.
        scenario.put(3000)
        instance.start()
        scenario.verify_counts()
        scenario.put(3000)
        scenario.verify_counts()
        assert 0 == instance.stop()

        assert "ec2:DescribeNetworkInterfaces" in instance.log
        assert b'"interfaces":[]' in (instance.state / "inventory.json").read_bytes()
        required = {
            (grant.permission.action, grant.resources[0].replace("/*", "/LeaseOwnerToLeaseKeyIndex"))
            for grant in grants
            if grant.permission.user != LAUNCHER
        }
        assert required - LATER == asked_by(DAEMON, tmp_path / "asked") - OPTIONAL - LATER


def asked_by(who: str, path: Path) -> set[tuple[str, str]]:
    """Return the actions that one half of the instance asked for; GetRecords names no stream."""
    lines = [line.split(" ") for line in path.read_text().splitlines()]
    stream = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/flow-logs"
    return {(action, resource or stream) for half, action, resource in lines if half == who}
