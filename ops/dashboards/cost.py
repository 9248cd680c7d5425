"""What traffic costs: bytes by peer class, path and NAT gateway, times a price per GiB.

An estimate: free tiers, discounts and the tiers of a month are not in it, nor what AWS charges by the hour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ops.dashboards import variables
from ops.dashboards.model import LETTERS, THIRD, WIDE, Column, Dashboard, Panel, Query, stat
from ops.dashboards.overview import SUBNET_LINK
from ops.dashboards.queries import (
    ACCEPTED,
    EGRESS,
    INGRESS,
    OF_VPC,
    by_subnet,
    by_tag,
    by_vpc,
    in_vpc,
    increase,
    outside_inventory,
    rate,
    subnets,
    sums_by,
    total,
)
from ops.values import Values

_BYTES = "flowlog_bytes_total"
_WITH_ENDPOINT = 'peer=~"aws_s3|aws_dynamodb"'
_NAT = 'interface_type="nat_gateway"'


class Item(NamedTuple):
    """Traffic that AWS charges for by the byte. `matchers` select it."""

    title: str
    matchers: tuple[str, ...]
    description: str
    alert: str


ITEMS = {
    "internet": Item(
        "To the internet",
        (ACCEPTED, EGRESS, 'peer="internet"', 'interface_type!="nat_gateway"'),
        "Sent to public addresses that are no AWS service, at the interface that sends it. What NAT gateways send on is"
        " left out, as it counts at its sender.",
        "FlowlogInternetBytes",
    ),
    "cross_zone": Item(
        "Across zones",
        (ACCEPTED, 'peer="cross_zone"'),
        "Sent to and received from other availability zones: AWS charges both ends.",
        "FlowlogCrossZoneBytes",
    ),
    "cross_region": Item(
        "Across regions",
        (ACCEPTED, EGRESS, 'peer="cross_region"'),
        "Sent to other regions. The price depends on both regions.",
        "FlowlogCrossRegionBytes",
    ),
    "nat_gateway": Item(
        "Through NAT gateways",
        (ACCEPTED, INGRESS, _NAT),
        "Received by NAT gateways, from their users and from the world: the bytes that they process.",
        "FlowlogNatGatewayBytes",
    ),
}
"""What has a price, by its name in the values file."""

_NOTE = "A list price times bytes, without free tiers and discounts. Needs `peer,interface_type` in --traffic-labels."
_GIB = 2**30


def _usd(item: str, series: Callable[..., str]) -> str:
    return f"{series(_BYTES, *ITEMS[item].matchers)} / {_GIB} * $price_{item}"


def _each(series: Callable[..., str]) -> str:
    """Return USD for each series and item. The new label keeps apart what two items select."""
    parts = [f'label_replace({_usd(item, series)}, "item", "{item}", "", "")' for item in ITEMS]
    return "(" + " or ".join(parts) + ")"


USD = in_vpc(_each(rate))
"""USD a second, of each series and item."""

_RANGE = in_vpc(_each(increase))


def _sum(item: Item, item_name: str) -> Panel:
    return stat(
        f"{item.title}, in this time",
        f"USD in the time that the dashboard shows. {item.description} {_NOTE}",
        "currencyUSD",
        total(in_vpc(_usd(item_name, increase))),
        item.alert,
    )


_COSTS = (
    Panel(
        "USD an hour, by kind",
        f"What the traffic costs at its present rate, in USD an hour. {_NOTE}",
        "currencyUSD",
        (Query(f"{total(USD, 'item')} * 3600", "{{item}}"),),
        width=THIRD,
        alerts=tuple(item.alert for item in ITEMS.values()),
        is_stacked=True,
    ),
    Panel(
        "USD an hour, by VPC",
        f"The same by VPC of the interface that recorded the traffic. {_NOTE}",
        "currencyUSD",
        (
            Query(f"{by_vpc(USD)} * 3600", "{{vpc_name}} {{vpc_id}}"),
            Query(f"{outside_inventory(USD)} * 3600", "not in the inventory"),
        ),
        width=THIRD,
        is_stacked=True,
    ),
    Panel(
        "USD an hour, by $tag",
        "The same by the chosen tag of the subnet. Needs --subnet-tags. NAT gateways count for their own subnet."
        f" {_NOTE}",
        "currencyUSD",
        (Query(f"{by_tag(USD)} * 3600", "{{$tag}}"),),
        width=THIRD,
        is_stacked=True,
    ),
    Panel(
        "Most expensive subnets",
        f"The subnets with the highest cost in the time that the dashboard shows. {_NOTE}",
        "currencyUSD",
        (Query(f"topk(10, {by_subnet(_RANGE)})", "{{name}} {{subnet_id}}"),),
        "bargauge",
    ),
    Panel(
        "S3 and DynamoDB through NAT gateways",
        "What NAT gateways charge for traffic with S3 and DynamoDB, in USD an hour. A gateway endpoint costs nothing."
        f" {_NOTE}",
        "currencyUSD",
        (
            Query(
                f"{total(in_vpc(rate(_BYTES, ACCEPTED, _NAT, _WITH_ENDPOINT)), 'peer')}"
                f" / {_GIB} * $price_nat_gateway * 3600",
                "{{peer}}",
            ),
        ),
        alerts=("FlowlogNatGatewayBytes",),
    ),
)

_AMOUNTS = (
    Panel(
        "Sent, by the other end",
        "Accepted bytes that interfaces sent, by the class of the other end. Traffic within a zone, and with AWS"
        " services of the same region through an endpoint, costs nothing. Needs `peer` in --traffic-labels.",
        "Bps",
        (sums_by(in_vpc(rate(_BYTES, ACCEPTED, EGRESS)), "peer"),),
        is_stacked=True,
    ),
    Panel(
        "Sent, by way",
        "Accepted bytes that interfaces sent, by the way that they took. Needs `path` in --traffic-labels.",
        "Bps",
        (sums_by(in_vpc(rate(_BYTES, ACCEPTED, EGRESS, 'path!=""')), "path"),),
        is_stacked=True,
    ),
    Panel(
        "Processed by NAT gateways, by subnet",
        "Bytes that NAT gateways receive, from their users and from the world, by the subnet of the gateway. Needs"
        " `interface_type` in --traffic-labels.",
        "Bps",
        (Query(by_subnet(in_vpc(rate(_BYTES, *ITEMS["nat_gateway"].matchers))), "{{name}} {{subnet_id}}"),),
        alerts=("FlowlogNatGatewayBytes",),
        is_stacked=True,
    ),
    Panel(
        "Behind NAT gateways, by the other end",
        "Bytes that NAT gateways exchange with the world, by the class of the other end: what could take another way."
        " Needs `peer,interface_type` in --traffic-labels.",
        "Bps",
        (sums_by(in_vpc(rate(_BYTES, ACCEPTED, _NAT)), "peer", "direction"),),
        alerts=("FlowlogNatGatewayBytes",),
    ),
)

_TABLE = (
    Panel(
        "Subnets",
        f"USD in the time that the dashboard shows, by subnet. {_NOTE}",
        "currencyUSD",
        (
            *(Query(total(in_vpc(_usd(item, increase)), "subnet_id")) for item in ITEMS),
            Query(subnets("name", "vpc_name", matchers=(OF_VPC,))),
        ),
        "table",
        WIDE,
        columns=(
            Column("subnet_id", "Subnet", link=SUBNET_LINK),
            Column("name", "Name"),
            Column("vpc_name", "VPC"),
            *(
                Column(f"Value #{letter}", item.title, "currencyUSD")
                for letter, item in zip(LETTERS, ITEMS.values(), strict=False)
            ),
        ),
    ),
)


def cost(values: Values) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "kcl-flowlog-cost",
        "kcl-flowlog / Cost",
        "VPC Flow Logs: what traffic costs, estimated from list prices.",
        values.dashboards.step,
        (variables.JOB, variables.VPC, variables.tag(values), *variables.prices(values)),
        {
            "In this time": tuple(_sum(item, name) for name, item in ITEMS.items()),
            "Cost": _COSTS,
            "Bytes": _AMOUNTS,
            "Subnets": _TABLE,
        },
    )
