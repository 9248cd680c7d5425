"""The accounts and regions to read the inventory from, as the settings name them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from kcl_flowlog.config import Config
from kcl_flowlog.counting.subnets import Source
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import check_region, role_account


class SourceReader(NamedTuple):
    """An account and region, and how to read it.

    `open` returns its account id (empty if unknown) and an EC2 client. It raises `aws_errors.AWS_ERRORS`. `subnet_tags`
    are the keys of the tags to read.
    """

    source: Source
    open: Callable[[], tuple[str, Any]]
    subnet_tags: tuple[str, ...] = ()


def source_readers(config: Config, aws: Aws) -> list[SourceReader]:
    """Return a reader for each account in each region; the account of the credentials comes first.

    Raises `ConfigError` if a region or a role is invalid.
    """
    regions = [check_region("--inventory-region", region) for region in config.inventory_region] or [aws.region]
    accounts = {"": "", **{role: role_account(role) for role in config.inventory_role}}
    return [
        SourceReader(
            Source(f"{role} {region}".strip(), account_id, region),
            partial(aws.ec2, region, role),
            config.subnet_tags,
        )
        for role, account_id in accounts.items()
        for region in dict.fromkeys(regions)
    ]
