"""The metrics that describe subnets, to join by subnet_id.

Names and tags are what anybody with the permission has typed. The format escapes quotes, backslashes and line ends;
what a terminal would obey is escaped as everywhere else. Values are otherwise shown as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.exporter.families import empty_family
from kcl_flowlog.values import tag_label


def subnet_metrics(inventory: Inventory, tags: tuple[str, ...]) -> Iterator[Metric]:
    """Yield the metrics; `tags` is the setting `--subnet-tags`."""
    yield _info(inventory)
    yield _tags(inventory, tags)


def _info(inventory: Inventory) -> Metric:
    family = empty_family("flowlog_subnet_info")
    for subnet in inventory.subnets:
        values = (
            *(subnet.subnet_id, subnet.cidr, ",".join(subnet.ipv6_cidrs), subnet.vpc_id, subnet.vpc_name),
            *(subnet.availability_zone_id, subnet.region, subnet.account_id, subnet.name),
        )
        family.add_metric([escape_unprintable(value) for value in values], 1)
    return family


def _tags(inventory: Inventory, tags: tuple[str, ...]) -> Metric:
    """Return no series without `--subnet-tags`; a tag that a subnet lacks is empty, so that a join keeps the subnet."""
    family = empty_family("flowlog_subnet_tags", ("subnet_id", *map(tag_label, tags)))
    for subnet in inventory.subnets if tags else ():
        values = dict(subnet.tags)
        family.add_metric([subnet.subnet_id, *(escape_unprintable(values.get(tag, "")) for tag in tags)], 1)
    return family
