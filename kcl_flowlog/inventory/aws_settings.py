"""Region, credentials and roles: from settings and environment to what boto3 and the daemon need.

The daemon uses the AWS library for Java, which reads other variables than
boto3; `daemon_environment` gives both the same region. Calls nothing over the
network. A mistake of the user is a `ConfigError`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache

import boto3
import botocore.exceptions

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import one_line

# The variables of flowlog-exporter, the predecessor of this program, and their modern names.
OLD_NAMES = {"AWS_ACCESS_KEY": "AWS_ACCESS_KEY_ID", "AWS_SECRET_KEY": "AWS_SECRET_ACCESS_KEY"}
_REGION_NAMES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Whatever an AWS library may take credentials from; endpoints and regions of a profile still count.
_CREDENTIAL_NAMES = frozenset(
    [
        *OLD_NAMES,
        *OLD_NAMES.values(),
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ]
)
_ROLE_ARN = re.compile(r"arn:aws[a-z0-9-]*:iam::([0-9]{12}):role/[\w+=,.@/-]+")


def with_old_names(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which each modern name that is not set has the value of its old name."""
    found = {new: environ[old] for old, new in OLD_NAMES.items() if environ.get(old) and not environ.get(new)}
    return {**environ, **found}


def resolve_region(region: str, environ: Mapping[str, str]) -> str:
    """Return `region`, or if it is empty the region of the environment or of the AWS profile.

    Raises `ConfigError` if no region is set, or if AWS has no such region.
    """
    region = region or next((environ[name] for name in _REGION_NAMES if environ.get(name)), "")
    try:
        session = boto3.Session(region_name=region or None)
    except botocore.exceptions.BotoCoreError as error:
        raise ConfigError(f"Invalid AWS settings: {one_line(error)} Check AWS_PROFILE and ~/.aws/config.") from error
    if not session.region_name:
        raise ConfigError("No AWS region; set --region or AWS_REGION.")
    return check_region("--region", str(session.region_name))


def check_region(option: str, region: str) -> str:
    """Return the region. Raises `ConfigError`, which names the option, if AWS has no such region."""
    partition_of(region, option)
    return region


@cache
def partition_of(region: str, option: str = "--region") -> str:
    """Return the partition of a region, such as `aws`. Raises `ConfigError`, as `check_region` does."""
    try:
        return str(boto3.Session().get_partition_for_region(region))
    except botocore.exceptions.UnknownRegionError:
        raise ConfigError(f"AWS has no region {region!r}; check {option} (an example is eu-central-1).") from None


def role_account(arn: str, option: str = "--inventory-role") -> str:
    """Return the account of a role. Raises `ConfigError`, which names the option, if the text is not a role's ARN."""
    match = _ROLE_ARN.fullmatch(arn)
    if match is None:
        raise ConfigError(f"{arn!r} is not a role such as arn:aws:iam::123456789012:role/NAME; check {option}.")
    return match[1]


def daemon_environment(environ: Mapping[str, str], region: str, assumes_role: bool = False) -> dict[str, str]:
    """Return the environment with the region in every variable that an AWS library reads, and without credentials.

    A profile keeps its other settings, such as endpoints, as they are in another file than its credentials. A daemon
    that assumes a role sees no profile: for STS the KCL names no source, and keys in that file would come first.
    """
    kept = {name: value for name, value in environ.items() if name not in _CREDENTIAL_NAMES}
    no_profiles = {"AWS_CONFIG_FILE": os.devnull, "AWS_PROFILE": "default"} if assumes_role else {}
    regions = dict.fromkeys(_REGION_NAMES, region)
    return {**kept, **regions, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, **no_profiles}
