"""The choices at the top of the dashboards."""

from __future__ import annotations

from kcl_flowlog.values import tag_label
from ops.dashboards.model import Variable
from ops.dashboards.queries import OF_VPC, in_vpc, largest, selector
from ops.values import Values

# The id comes first, and is the value; the name behind it is only shown.
_CHOICE = r'/^\{choice="(?<text>(?<value>[^ "]+)[^"]*)"/'

JOB = Variable("job", "Fleet", "The job of the scrape configuration.", "label_values(flowlog_build_info, job)")
VPC = Variable(
    "vpc",
    "VPC",
    "Whatever is chosen, traffic of subnets that the inventory lacks is included: their VPC is not known.",
    "query_result(max by (choice) (label_join("
    f'{selector("flowlog_subnet_info")}, "choice", " ", "vpc_id", "vpc_name")))',
    _CHOICE,
    has_all=True,
)
_WITH_TRAFFIC = largest(in_vpc(selector("flowlog_flows_total")), "subnet_id")
SUBNET = Variable(
    "subnet",
    "Subnet",
    "A subnet of the inventory, or another that records name.",
    "query_result(max by (choice) (label_join("
    + selector("flowlog_subnet_info", OF_VPC)
    + f' or on (subnet_id) {_WITH_TRAFFIC}, "choice", " ", "subnet_id", "name")))',
    _CHOICE,
)
INSTANCE = Variable(
    "instance",
    "Instance",
    "One instance or several.",
    f"label_values({selector('flowlog_build_info')}, instance)",
    has_all=True,
)


def tag(values: Values) -> Variable:
    """Return the choice between the tags that the values file names."""
    labels = tuple(tag_label(key) for key in values.dashboards.tags)
    text = "The tag to sum by. Needs --subnet-tags with its key."
    return Variable("tag", "Tag", text, default=labels[0], options=labels)


def prices(values: Values) -> tuple[Variable, ...]:
    """Return a text field for each price."""
    return tuple(
        Variable(
            f"price_{item}",
            f"{item.replace('_', ' ')}, $/GiB",
            f"USD for a GiB; at first AWS' list price in {price.region}. Others: {price.source}",
            default=f"{price.usd_per_gib:g}",
        )
        for item, price in values.dashboards.prices.items()
    )
