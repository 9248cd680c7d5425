"""The least IAM policy of each role of an instance, made from the table of permissions.

Pure: asks nobody. What the settings do not tell, such as the account, is a `ConfigError`.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kcl_flowlog.checks.permissions import (
    ANY,
    CONSUMERS,
    COORDINATOR,
    KEY,
    LEASES,
    OWNERS,
    PERMISSIONS,
    ROLE,
    STREAM,
    STREAM_ROLE,
    WORKERS,
    Permission,
)
from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_settings import check_region, partition_of, role_account
from kcl_flowlog.inventory.stream import find_stream
from kcl_flowlog.launcher.kcl_properties import CONSUMER_PROPERTY
from kcl_flowlog.launcher.table_names import TableNames

OWN, OF_STREAM, OF_INVENTORY = "own", "stream-role", "inventory-role"
ROLES = {
    OWN: "the role of the instances",
    OF_STREAM: "the role of --stream-role",
    OF_INVENTORY: "a role of --inventory-role",
}
"""The roles that need a policy."""

_OF_STREAM = (STREAM, CONSUMERS, KEY)
_SIDS = {
    STREAM: "Stream",
    CONSUMERS: "Consumers",
    KEY: "Key",
    LEASES: "Leases",
    OWNERS: "LeaseOwners",
    COORDINATOR: "Coordinator",
    WORKERS: "Workers",
    STREAM_ROLE: "StreamRole",
    ROLE: "InventoryRoles",
    ANY: "Metrics",
}
_KEY_ARN = re.compile(r"arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[\w-]+")
_WIDTH = 110

Statement = dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """A permission on the ARNs that it needs; `regions` limits it to these regions, if there are any."""

    permission: Permission
    resources: tuple[str, ...]
    regions: tuple[str, ...] = ()


class Roles:
    """What each role needs, with these settings. `account` is that of the instances, `key` the ARN of a KMS key."""

    def __init__(self, config: Config, region: str, account: str = "", key: str = "") -> None:
        """Raises `ConfigError`."""
        self._config = config
        self._stream = find_stream(config.stream, config.stream_role, region)
        self._account = account or ("" if config.stream_role else self._stream.account)
        if key and not _KEY_ARN.fullmatch(key):
            raise ConfigError(f"--kms-key: {key!r} is not a key such as arn:aws:kms:REGION:123456789012:key/ID.")
        for role in config.inventory_role:
            role_account(role)
        self._regions = tuple(check_region("--inventory-region", each) for each in config.inventory_region) or (region,)
        self._arns = self._resources(partition_of(region), region, key)

    def grants(self, role: str) -> Iterator[Grant]:
        """Yield what a role needs, in the table's order. Raises `ConfigError` if the settings name no such role."""
        given = {OWN: True, OF_STREAM: self._config.stream_role, OF_INVENTORY: self._config.inventory_role}
        if not given[role]:
            raise ConfigError(f"--for {role} is the policy of the role that --{role} names; add --{role} ARN.")
        if role == OWN and not re.fullmatch("[0-9]{12}", self._account):
            raise ConfigError("The account of the instances is unknown; give its twelve digits with --account.")
        for permission in PERMISSIONS:
            resources = self._arns.get(permission.resource, ())
            if resources and permission.applies(self._config) and self._is_of(role, permission):
                is_ec2 = permission.action.startswith("ec2:")
                yield Grant(permission, resources, self._regions if is_ec2 else ())

    def _is_of(self, role: str, permission: Permission) -> bool:
        if role == OF_INVENTORY:
            return permission.action.startswith("ec2:")
        reads_stream = permission.resource in _OF_STREAM
        return reads_stream == (role == OF_STREAM) if self._config.stream_role else True

    def _resources(self, partition: str, region: str, key: str) -> Mapping[str, tuple[str, ...]]:
        config, account = self._config, self._account
        stream = self._stream.arn or f"arn:{partition}:kinesis:{region}:{account}:stream/{self._stream.name}"
        tables = f"arn:{partition}:dynamodb:{region}:{account}:table"
        names = TableNames.of(config)
        return {
            STREAM: (stream,),
            CONSUMERS: (config.kcl_property.get(CONSUMER_PROPERTY, f"{stream}/consumer/*"),),
            LEASES: (f"{tables}/{names.leases}",),
            OWNERS: (f"{tables}/{names.leases}/index/*",),
            COORDINATOR: (f"{tables}/{names.coordinator}",),
            WORKERS: (f"{tables}/{names.worker_metrics}",),
            KEY: (key,) if key else (),
            STREAM_ROLE: (config.stream_role,),
            ROLE: config.inventory_role,
            ANY: ("*",),
        }


def document(grants: Sequence[Grant], has_optional: bool = True) -> dict[str, Any]:
    """Return the policy, with a statement for each kind of resource; what may be missing has separate statements."""
    statements: dict[str, Statement] = {}
    required = {(grant.permission.action, grant.resources) for grant in grants if grant.permission.is_required}
    for grant in grants:
        permission = grant.permission
        sid = "Inventory" if grant.regions else _SIDS[permission.resource]
        if permission.is_required:
            _add(statements, sid, grant)
        elif has_optional and (permission.action, grant.resources) not in required:
            _add(statements, f"{sid}Optional", grant)
    return {"Version": "2012-10-17", "Statement": [statements[sid] for sid in sorted(statements, key=_is_optional)]}


def _add(statements: dict[str, Statement], sid: str, grant: Grant) -> None:
    resources = grant.resources[0] if len(grant.resources) == 1 else list(grant.resources)
    statement = statements.setdefault(sid, {"Sid": sid, "Effect": "Allow", "Action": [], "Resource": resources})
    if grant.permission.action not in statement["Action"]:
        statement["Action"].append(grant.permission.action)
    if grant.regions:
        statement["Condition"] = {"StringEquals": {"aws:RequestedRegion": list(grant.regions)}}


def _is_optional(sid: str) -> bool:
    return sid.endswith("Optional")


def as_text(policy: Mapping[str, Any]) -> str:
    """Return a policy as JSON that a person can read: each list on as few lines as fit."""
    statements = ",\n".join(f"    {{\n{_members(statement)}\n    }}" for statement in policy["Statement"])
    return f'{{\n  "Version": "{policy["Version"]}",\n  "Statement": [\n{statements}\n  ]\n}}'


def _members(statement: Statement) -> str:
    return ",\n".join(_member(name, value) for name, value in statement.items())


def _member(name: str, value: object) -> str:
    text = f'      "{name}": {json.dumps(value)}'
    indent = " " * (text.index(": ") + 3)
    lines = textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)
