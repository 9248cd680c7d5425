"""Make the network of the demo in an AWS, through the ordinary AWS calls.

All VPCs have the same CIDR on purpose: a lookup of an address that ignores the
VPC finds the wrong subnet. Every run makes the same network, apart from the ids
and the IPv6 blocks that AWS assigns. Raises what boto3 raises.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kcl_flowlog.demo.embedded_aws import NAT_DESCRIPTION
from kcl_flowlog.demo.world import Interface, Subnet, World

LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} "
    "${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
)

_FIRST_HOST = 10  # AWS reserves the first four addresses of a subnet
_NAT_HOST = 250


@dataclass(frozen=True)
class SubnetSpec:
    """A subnet to make; `zone` is the letter of its availability zone."""

    name: str
    zone: str
    ipv6: bool = False
    has_nat_gateway: bool = False


@dataclass(frozen=True)
class WorldSpec:
    """What to make. Every VPC gets the same CIDR, the same subnets, and a log group named after it.

    `interfaces` is the number per subnet; the last `idle_interfaces` of them
    have no traffic.
    """

    vpcs: tuple[str, ...] = ("shop", "lab")
    cidr: str = "10.0.0.0/16"
    subnets: tuple[SubnetSpec, ...] = (
        SubnetSpec("public-a", "a", ipv6=True, has_nat_gateway=True),
        SubnetSpec("private-a", "a"),
        SubnetSpec("private-b", "b", ipv6=True),
    )
    interfaces: int = 4
    idle_interfaces: int = 1
    shards: int = 2
    stream: str = "flow-logs"
    log_group: str = "/vpc/{}/flow-logs"


def build_world(client: Callable[[str], Any], region: str, spec: WorldSpec | None = None) -> World:
    """Make the network that `spec` describes, and its stream; `client` returns a boto3 client for a service name."""
    spec = spec or WorldSpec()
    ec2 = client("ec2")
    _remove_default_subnets(ec2)
    vpcs = [_make_vpc(ec2, name, spec) for name in spec.vpcs]
    subnets = [
        _make_subnet(ec2, region, vpc, subnet, number)
        for vpc in vpcs
        for number, subnet in enumerate(spec.subnets, start=1)
    ]
    interfaces = [interface for subnet in subnets for interface in _make_interfaces(ec2, subnet, spec)]
    names = {f"{vpc}-{subnet.name}" for vpc in spec.vpcs for subnet in spec.subnets if subnet.has_nat_gateway}
    nat_gateways = tuple(_make_nat_gateway(ec2, subnet) for subnet in subnets if subnet.name in names)
    for vpc in vpcs:
        _make_flow_log(ec2, client("logs"), vpc, interfaces[0].account_id)
    client("kinesis").create_stream(StreamName=spec.stream, ShardCount=spec.shards)
    return World(spec.stream, interfaces[0].account_id, tuple(subnets), tuple(interfaces), nat_gateways)


def _remove_default_subnets(ec2: Any) -> None:
    """Remove the subnets that each new account has: nobody records their traffic, and an alert would say so."""
    is_default = [{"Name": "default-for-az", "Values": ["true"]}]
    for subnet in ec2.describe_subnets(Filters=is_default)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def _named(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def _make_vpc(ec2: Any, name: str, spec: WorldSpec) -> dict[str, Any]:
    """Make a VPC with an IPv6 block; return EC2's description of it, plus its name and log group."""
    made = ec2.create_vpc(CidrBlock=spec.cidr, AmazonProvidedIpv6CidrBlock=True, TagSpecifications=_named("vpc", name))[
        "Vpc"
    ]
    described: dict[str, Any] = ec2.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]
    return {**described, "Name": name, "LogGroup": spec.log_group.format(name)}


def _make_subnet(ec2: Any, region: str, vpc: dict[str, Any], spec: SubnetSpec, number: int) -> Subnet:
    """Make subnet number `number` of a VPC: a /20, and with IPv6 a /64."""
    request = {
        "VpcId": vpc["VpcId"],
        "CidrBlock": _part(vpc["CidrBlock"], 20, number),
        "AvailabilityZone": region + spec.zone,
        "TagSpecifications": _named("subnet", f"{vpc['Name']}-{spec.name}"),
    }
    if spec.ipv6:
        of_vpc = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        request["Ipv6CidrBlock"] = _part(of_vpc, 64, number)
    made = ec2.create_subnet(**request)["Subnet"]
    return Subnet(
        id=made["SubnetId"],
        name=f"{vpc['Name']}-{spec.name}",
        vpc_id=made["VpcId"],
        zone_id=made["AvailabilityZoneId"],
        cidr=made["CidrBlock"],
        ipv6_cidr=request.get("Ipv6CidrBlock", ""),
        log_group=vpc["LogGroup"],
    )


def _part(cidr: str, length: int, number: int) -> str:
    """Return subnet number `number` of a network that is split into prefixes of `length`."""
    return str(next(islice(ipaddress.ip_network(cidr).subnets(new_prefix=length), number, None)))


def _make_interfaces(ec2: Any, subnet: Subnet, spec: WorldSpec) -> list[Interface]:
    """Make the interfaces of a subnet; every second interface has a secondary address."""
    return [
        _make_interface(ec2, subnet, number, idle=number >= spec.interfaces - spec.idle_interfaces)
        for number in range(spec.interfaces)
    ]


def _make_interface(ec2: Any, subnet: Subnet, number: int, *, idle: bool) -> Interface:
    host = _FIRST_HOST + number
    network = ipaddress.ip_network(subnet.cidr)
    ipv4 = [str(network[host]), str(network[host + 100])][: 1 + number % 2]
    ipv6 = [str(ipaddress.ip_network(subnet.ipv6_cidr)[host])] if subnet.ipv6_cidr else []
    made = ec2.create_network_interface(
        SubnetId=subnet.id,
        Description=f"{subnet.name} {number}",
        PrivateIpAddresses=[{"PrivateIpAddress": address, "Primary": address == ipv4[0]} for address in ipv4],
        **({"Ipv6Addresses": [{"Ipv6Address": address} for address in ipv6]} if ipv6 else {}),
    )["NetworkInterface"]
    return Interface(made["NetworkInterfaceId"], made["OwnerId"], subnet, tuple(ipv4), tuple(ipv6), idle)


def _make_nat_gateway(ec2: Any, subnet: Subnet) -> Interface:
    """Make the interface of a NAT gateway; the embedded AWS knows its type by its description."""
    address = str(ipaddress.ip_network(subnet.cidr)[_NAT_HOST])
    made = ec2.create_network_interface(
        SubnetId=subnet.id, Description=f"{NAT_DESCRIPTION} {subnet.name}", PrivateIpAddress=address
    )["NetworkInterface"]
    return Interface(made["NetworkInterfaceId"], made["OwnerId"], subnet, (address,))


def _make_flow_log(ec2: Any, logs: Any, vpc: dict[str, Any], account_id: str) -> None:
    """Make a flow log in the default format that goes from a VPC to its log group."""
    logs.create_log_group(logGroupName=vpc["LogGroup"])
    answer = ec2.create_flow_logs(
        ResourceIds=[vpc["VpcId"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="cloud-watch-logs",
        LogGroupName=vpc["LogGroup"],
        DeliverLogsPermissionArn=f"arn:aws:iam::{account_id}:role/flow-logs",
        LogFormat=LOG_FORMAT,
        MaxAggregationInterval=60,
    )
    if answer["Unsuccessful"]:
        raise RuntimeError(f"EC2 did not create a flow log: {answer['Unsuccessful']}")
