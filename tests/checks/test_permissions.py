"""The table of permissions is what an instance needs: each that is denied in turn stops it, or costs what the row says.

Here the launcher, on an AWS in this process that judges each request by the policy. What the daemon asks for:
tests/real/test_permissions.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.checks import permissions
from kcl_flowlog.checks.permissions import DAEMON, PERMISSIONS
from kcl_flowlog.checks.policy import OF_INVENTORY, OF_STREAM, OWN, Roles, document
from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import accounts
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.inventory.sessions import make_session
from kcl_flowlog.inventory.stream import find_stream
from kcl_flowlog.launcher.instance import admission_of
from kcl_flowlog.launcher.open_shards import OpenShards
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.coordinator import never
from tests.support.policies import ACCOUNT, Guard, without

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
ROLE = "arn:aws:iam::222222222222:role/inventory"
STREAM_ROLE = f"arn:aws:iam::{ACCOUNT}:role/stream"

PLAIN = Config(stream="flow-logs")
WITH_ROLES = Config(stream="flow-logs", stream_role=STREAM_ROLE, inventory_role=(ROLE,))
WITH_BACKUPS = Config(
    stream="flow-logs",
    kcl_property={"coordinatorStatePointInTimeRecoveryEnabled": "true", "coordinatorStateTags": "team=net"},
)
SETTINGS = {"plain": PLAIN, "with roles": WITH_ROLES, "with backups": WITH_BACKUPS}


class Account:
    """An account whose guard judges the product by its policies."""

    def __init__(self) -> None:
        self.guard = Guard()
        self.aws = Aws(
            REGION,
            KEYS,
            lambda region, keys: self.guard.watch(make_session(region, keys), getattr(keys, "_role", "")),
        )

    def permit(self, config: Config) -> None:
        """Give each role its policy."""
        roles = Roles(config, REGION, ACCOUNT)
        self.guard.own = document(list(roles.grants(OWN)))
        self.guard.of_roles = {role: document(list(roles.grants(OF_INVENTORY))) for role in config.inventory_role}
        if config.stream_role:
            self.guard.of_roles[config.stream_role] = document(list(roles.grants(OF_STREAM)))
        self.guard.asked.clear()

    def deny(self, action: str, resource: str) -> None:
        """Take an action on a resource from every policy."""
        self.guard.own = without(self.guard.own, action, resource)
        self.guard.of_roles = {role: without(each, action, resource) for role, each in self.guard.of_roles.items()}


# One for all cases: to make a session takes longer than a case.
ACCOUNT_HERE = Account()


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with a stream, and a lease table as an earlier daemon of this worker has left it."""
    with mock_aws():
        made: dict[str, Any] = {
            service: ROOT_SESSION.client(service, region_name=REGION) for service in ("kinesis", "dynamodb")
        }
        made["kinesis"].create_stream(StreamName="flow-logs", ShardCount=1)
        made["dynamodb"].create_table(
            TableName="kcl-flowlog",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        lease = {
            "leaseKey": {"S": "shard-0"},
            "leaseOwner": {"S": "worker-1"},
            "leaseCounter": {"N": "7"},
            "checkpoint": {"S": "TRIM_HORIZON"},
            "checkpointSubSequenceNumber": {"N": "0"},
        }
        made["dynamodb"].put_item(TableName="kcl-flowlog", Item=lease)
        yield ACCOUNT_HERE


ROOT_SESSION = boto3.Session("root", "root")


def live(config: Config, aws: Aws, directory: Path) -> None:
    """Do with AWS what a launcher does in its life. Raises what stops it."""
    stream = find_stream(config.stream, config.stream_role, aws.region)
    identity = aws.check_stream(stream)
    with StateDirectory(directory) as state:
        (directory / "worker-id").write_text("worker-1\n")
        admission = admission_of(config, aws, state, stream, identity)
        admission.admit("now", never)
        OpenShards(aws.shard_counter(stream)).ask()
        keeper = InventoryKeeper(accounts.source_readers(config, aws), None, lambda _: None, 1800.0, 86400.0)
        keeper.refresh()
        keeper.look_up(["eni-1"])
        keeper.step()
        leases = admission.leases
        row = leases.read_row("shard-0")
        assert row is not None
        assert leases.add_claim("shard-0", row, "token")
        assert ["shard-0"] == list(leases.read_claimed_rows())
        assert admission.start.beat()
        admission.leader_lock.release()
        admission.start.end()


def grants_of_launcher(config: Config) -> set[tuple[str, str]]:
    """Return the actions of the launcher with their resources."""
    roles = Roles(config, REGION, ACCOUNT)
    names = [OWN, *([OF_STREAM, OF_INVENTORY] if config is WITH_ROLES else [])]
    return {
        (grant.permission.action, resource)
        for name in names
        for grant in roles.grants(name)
        for resource in grant.resources
        if grant.permission.user != DAEMON
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_the_policy_is_what_the_launcher_asks_for(account: Account, tmp_path: Path, name: str) -> None:
    """It asks for each action of the policy that the table says is the launcher's, and for nothing else."""
    account.permit(SETTINGS[name])

    live(SETTINGS[name], account.aws, tmp_path)

    assert grants_of_launcher(SETTINGS[name]) == account.guard.asked - {("sts:GetCallerIdentity", "*")}
