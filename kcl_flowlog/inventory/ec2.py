"""The inventory of one account and region, or some of its interfaces, read with an EC2 client.

Needs the permission DescribeSubnets. Works without DescribeNetworkInterfaces,
DescribeFlowLogs and DescribeVpcs: then the `Source` of the result says what is
missing.
Every other refusal is raised as `aws_errors.AWS_ERRORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, is_denied, is_unknown_parameter
from kcl_flowlog.inventory.delivery_errors import delivery_error
from kcl_flowlog.inventory.interface_details import Note, ignore, name_tag

_PAGE = 1000

MOST_IDS = 200
"""How many values EC2 takes for a filter."""

T = TypeVar("T")


def read_inventory(
    ec2: Any, source: Source, now: float, subnet_tags: Collection[str] = (), note: Note = ignore
) -> Inventory:
    """Return the inventory of a source, of a subnet's tags only those named.

    `now` is the time of the reading, in Unix seconds. `note` gets each interface as EC2 describes it.
    """
    key = source.key
    items = list(_pages(ec2, "describe_subnets", "Subnets"))
    vpc_names = _if_permitted(
        lambda: {item["VpcId"]: name_tag(item.get("Tags", ())) for item in _pages(ec2, "describe_vpcs", "Vpcs")}
    )
    names = vpc_names or {}
    subnets = tuple(_subnet(item, source, now, names.get(item["VpcId"], ""), subnet_tags) for item in items)
    interfaces = _if_permitted(lambda: tuple(_interface(item, key, now) for item in _noted(_interfaces(ec2), note)))
    flow_logs = _if_permitted(
        lambda: tuple(
            _flow_log(item, source, now)
            for item in _pages(ec2, "describe_flow_logs", "FlowLogs")
            if item.get("LogGroupName") and item.get("LogFormat")
        )
    )
    listed = (found is not None for found in (interfaces, flow_logs, vpc_names))
    read = Source(key, source.account_id, source.region, now, *listed)
    return Inventory(now, subnets, interfaces or (), flow_logs or (), (read,))


def find_interfaces(ec2: Any, source: Source, interface_ids: Sequence[str], now: float) -> list[Interface]:
    """Return those of these interfaces that a source has; `MOST_IDS` at most."""
    # If EC2 lacks one of the ids, a request by id fails as a whole; a filter leaves that id out.
    wanted = [{"Name": "network-interface-id", "Values": list(interface_ids)}]
    return [_interface(item, source.key, now) for item in _interfaces(ec2, Filters=wanted)]


def _if_permitted(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except AWS_ERRORS as error:
        if not is_denied(error):
            raise
        return None


def _pages(ec2: Any, operation: str, key: str, **parameters: Any) -> Iterable[dict[str, Any]]:
    for page in ec2.get_paginator(operation).paginate(PaginationConfig={"PageSize": _PAGE}, **parameters):
        yield from page[key]


def _interfaces(ec2: Any, **parameters: Any) -> list[dict[str, Any]]:
    operation, key = "describe_network_interfaces", "NetworkInterfaces"
    try:
        # Otherwise EC2 hides interfaces that AWS services manage, though they have traffic.
        return list(_pages(ec2, operation, key, IncludeManagedResources=True, **parameters))
    except AWS_ERRORS as error:
        if not is_unknown_parameter(error):
            raise
        return list(_pages(ec2, operation, key, **parameters))


def _noted(items: Iterable[dict[str, Any]], note: Note) -> Iterable[dict[str, Any]]:
    for item in items:
        note(item)
        yield item


def _subnet(item: dict[str, Any], source: Source, now: float, vpc_name: str, tags: Collection[str]) -> Subnet:
    return Subnet(
        subnet_id=item["SubnetId"],
        vpc_id=item["VpcId"],
        availability_zone_id=item.get("AvailabilityZoneId", ""),
        cidr=item.get("CidrBlock", ""),
        ipv6_cidrs=tuple(
            block["Ipv6CidrBlock"]
            for block in item.get("Ipv6CidrBlockAssociationSet", ())
            if block.get("Ipv6CidrBlockState", {}).get("State", "associated") == "associated"
        ),
        account_id=item.get("OwnerId", ""),
        name=name_tag(item.get("Tags", ())),
        seen_at=now,
        source=source.key,
        region=source.region,
        vpc_name=vpc_name,
        tags=tuple((tag["Key"], tag["Value"]) for tag in item.get("Tags", ()) if tag["Key"] in tags),
    )


def _interface(item: dict[str, Any], source: str, now: float) -> Interface:
    addresses = {address["PrivateIpAddress"]: None for address in item.get("PrivateIpAddresses", ())}
    addresses |= {address["Ipv6Address"]: None for address in item.get("Ipv6Addresses", ())}
    if item.get("PrivateIpAddress"):
        addresses[item["PrivateIpAddress"]] = None
    prefixes = [prefix["Ipv4Prefix"] for prefix in item.get("Ipv4Prefixes", ())]
    prefixes += [prefix["Ipv6Prefix"] for prefix in item.get("Ipv6Prefixes", ())]
    return Interface(
        interface_id=item["NetworkInterfaceId"],
        subnet_id=item["SubnetId"],
        vpc_id=item["VpcId"],
        addresses=tuple(addresses),
        seen_at=now,
        prefixes=tuple(prefixes),
        source=source,
        interface_type=item.get("InterfaceType", ""),
    )


def _flow_log(item: dict[str, Any], source: Source, now: float) -> FlowLog:
    return FlowLog(
        flow_log_id=item["FlowLogId"],
        resource_id=item["ResourceId"],
        log_group=item["LogGroupName"],
        log_format=item["LogFormat"],
        # The flow log of a transit gateway has no traffic type.
        traffic_type=item.get("TrafficType", "ALL"),
        account_id=source.account_id,
        seen_at=now,
        source=source.key,
        delivery_error=delivery_error(item),
    )
