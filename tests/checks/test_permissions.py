"""The table of permissions is what an instance needs: each that is denied in turn stops it, or costs what the row says.

Here the launcher, on an AWS in this process that judges each request by the policy. What the daemon asks for:
tests/real/test_permissions.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.checks.permissions import DAEMON
from kcl_flowlog.checks.policy import OF_INVENTORY, OF_STREAM, OWN, Roles, document
from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory import accounts
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.inventory.sessions import make_session
from kcl_flowlog.inventory.stream import find_stream
from kcl_flowlog.launcher.admission import Admission, admission_of
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
SERVICES = ("kinesis", "ec2", "dynamodb")
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


LEASE = {
    "leaseKey": {"S": "shard-0"},
    "leaseOwner": {"S": "worker-1"},
    "leaseCounter": {"N": "7"},
    "checkpoint": {"S": "TRIM_HORIZON"},
    "checkpointSubSequenceNumber": {"N": "0"},
}


@pytest.fixture(scope="module")
def shared_account() -> Iterator[tuple[Account, Any]]:
    """An account with a stream and a lease table, and its DynamoDB; one for all cases, because it takes a second."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        root = boto3.Session("root", "root", region_name=REGION)
        root.client("kinesis").create_stream(StreamName="flow-logs", ShardCount=1)
        dynamodb = root.client("dynamodb")
        dynamodb.create_table(
            TableName="kcl-flowlog",
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield Account(), dynamodb


@pytest.fixture
def account(shared_account: tuple[Account, Any]) -> Account:
    """The account before the first start of the application, but with the lease of an earlier daemon of this worker."""
    found, dynamodb = shared_account
    dynamodb.put_item(TableName="kcl-flowlog", Item=LEASE)
    with suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.delete_table(TableName="kcl-flowlog-CoordinatorState")
    return found


def live(config: Config, aws: Aws, directory: Path, services: Collection[str] = SERVICES) -> None:
    """Do with these services what a launcher does in its life. Raises what stops it."""
    stream = find_stream(config.stream, config.stream_role, aws.region)
    identity = None
    if "kinesis" in services:
        identity = aws.check_stream(stream)
        OpenShards(aws.shard_counter(stream)).ask()
    if "ec2" in services:
        keeper = InventoryKeeper(accounts.source_readers(config, aws), None, lambda _: None, 1800.0, 86400.0)
        keeper.refresh()
        keeper.look_up(["eni-1"])
        keeper.step()
    if "dynamodb" in services:
        with StateDirectory(directory) as state:
            (directory / "worker-id").write_text("worker-1\n")
            use_tables(admission_of(config, aws, state, stream, identity))


def use_tables(admission: Admission) -> None:
    admission.admit("now", never)
    row = admission.leases.read_row("shard-0")
    assert row is not None
    assert admission.leases.add_claim("shard-0", row, "token")
    assert ["shard-0"] == list(admission.leases.read_claimed_rows())
    assert admission.start.beat()
    admission.leader_lock.release()
    admission.start.end()


def grants_of_launcher(config: Config) -> dict[tuple[str, str], bool]:
    """Return the actions of the launcher with their resources, and whether each is required."""
    roles = Roles(config, REGION, ACCOUNT)
    names = [OWN, *([OF_STREAM] if config.stream_role else []), *([OF_INVENTORY] if config.inventory_role else [])]
    found: dict[tuple[str, str], bool] = {}
    for grant in (grant for name in names for grant in roles.grants(name) if grant.permission.user != DAEMON):
        for resource in grant.resources:
            key = (grant.permission.action, resource)
            found[key] = found.get(key, False) or grant.permission.is_required
    return found


def cases() -> Iterator[Any]:
    """Yield each action of the launcher once, with the first settings that use it, and whether it is required."""
    seen: set[tuple[str, str]] = set()
    for name, config in SETTINGS.items():
        for (action, resource), is_required in grants_of_launcher(config).items():
            if (action, resource) not in seen:
                seen.add((action, resource))
                yield pytest.param(name, action, resource, is_required, id=f"{action} {resource.rpartition(':')[2]}")


@pytest.mark.parametrize("name", SETTINGS)
def test_the_policy_is_what_the_launcher_asks_for(account: Account, tmp_path: Path, name: str) -> None:
    """It asks for each action of the policy that the table says is the launcher's, and for nothing else."""
    account.permit(SETTINGS[name])

    live(SETTINGS[name], account.aws, tmp_path)

    assert set(grants_of_launcher(SETTINGS[name])) == account.guard.asked - {("sts:GetCallerIdentity", "*")}


@pytest.mark.parametrize(("name", "action", "resource", "is_required"), list(cases()))
def test_a_denied_action_stops_the_launcher_if_and_only_if_it_is_required(
    account: Account, tmp_path: Path, name: str, action: str, resource: str, is_required: bool
) -> None:
    """What may be missing costs what the table says, and all else goes on."""
    account.permit(SETTINGS[name])
    account.deny(action, resource)

    service = action.partition(":")[0]
    services = SERVICES if service == "sts" else (service,)
    stopped = False
    try:
        live(SETTINGS[name], account.aws, tmp_path, services)
    except (ConfigError, *AWS_ERRORS) as error:
        stopped = isinstance(error, ConfigError) or is_denied(error)

    assert is_required == stopped
