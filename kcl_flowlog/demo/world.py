"""The network of the demo: VPCs, subnets, interfaces, flow logs and the stream they end in.

`build` makes it through the ordinary AWS calls and returns it as frozen
dataclasses, so the traffic is made from what AWS says exists. The VPCs have
the same CIDRs on purpose: whoever looks an address up without its VPC finds
the wrong subnet. All but the ids and the IPv6 network of a VPC, which AWS
hands out, is the same every time.

It must not know how traffic is made or counted. Fails with what boto3 raises.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} "
    "${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
)

_FIRST_HOST = 10  # AWS keeps the first four addresses of a subnet for itself


@dataclass(frozen=True)
class SubnetSpec:
    """A subnet to make: `zone` is the letter of its availability zone."""

    name: str
    zone: str
    ipv6: bool = False


@dataclass(frozen=True)
class WorldSpec:
    """What to build. Every VPC gets the same CIDR, the same subnets, and a log group that is named by it."""

    vpcs: tuple[str, ...] = ("shop", "lab")
    cidr: str = "10.0.0.0/16"
    subnets: tuple[SubnetSpec, ...] = (
        SubnetSpec("public-a", "a", ipv6=True),
        SubnetSpec("private-a", "a"),
        SubnetSpec("private-b", "b", ipv6=True),
    )
    interfaces: int = 4
    idle_interfaces: int = 1
    shards: int = 2
    stream: str = "flow-logs"
    log_group: str = "/vpc/{}/flow-logs"


@dataclass(frozen=True)
class Subnet:
    """A subnet as EC2 knows it; `name` is its Name tag, `zone_id` such as euw1-az1.

    `log_group` is where the flow logs of its VPC are written to.
    """

    id: str
    name: str
    vpc_id: str
    zone_id: str
    cidr: str
    ipv6_cidr: str = ""
    log_group: str = ""


@dataclass(frozen=True)
class Interface:
    """A network interface. `ipv4` and `ipv6` are its addresses, the primary one first; an idle one has no traffic."""

    id: str
    account_id: str
    subnet: Subnet
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...] = ()
    idle: bool = False


@dataclass(frozen=True)
class World:
    """All there is, and the stream that its flow logs go to."""

    stream: str
    account_id: str
    subnets: tuple[Subnet, ...]
    interfaces: tuple[Interface, ...]

    def of_subnet(self, subnet: Subnet) -> tuple[Interface, ...]:
        """Return the interfaces of `subnet`."""
        return tuple(interface for interface in self.interfaces if interface.subnet == subnet)


def build(client: Callable[[str], Any], region: str, spec: WorldSpec | None = None) -> World:
    """Make what `spec` says, with the clients that `client` gives for a service name."""
    spec = spec or WorldSpec()
    ec2 = client("ec2")
    vpcs = [_make_vpc(ec2, name, spec) for name in spec.vpcs]
    subnets = [
        _make_subnet(ec2, region, vpc, subnet, number)
        for vpc in vpcs
        for number, subnet in enumerate(spec.subnets, start=1)
    ]
    interfaces = [interface for subnet in subnets for interface in _make_interfaces(ec2, subnet, spec)]
    for vpc in vpcs:
        _make_flow_log(ec2, client("logs"), vpc, interfaces[0].account_id)
    client("kinesis").create_stream(StreamName=spec.stream, ShardCount=spec.shards)
    return World(spec.stream, interfaces[0].account_id, tuple(subnets), tuple(interfaces))


def _named(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]


def _make_vpc(ec2: Any, name: str, spec: WorldSpec) -> dict[str, Any]:
    """Make a VPC with an IPv6 network and return it as EC2 describes it, with its name and log group."""
    made = ec2.create_vpc(CidrBlock=spec.cidr, AmazonProvidedIpv6CidrBlock=True, TagSpecifications=_named("vpc", name))[
        "Vpc"
    ]
    described: dict[str, Any] = ec2.describe_vpcs(VpcIds=[made["VpcId"]])["Vpcs"][0]
    return {**described, "Name": name, "LogGroup": spec.log_group.format(name)}


def _make_subnet(ec2: Any, region: str, vpc: dict[str, Any], spec: SubnetSpec, number: int) -> Subnet:
    """Make the subnet `number` of a VPC: a /20, and a /64 where it has IPv6."""
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
    """Return the part `number` of a network, cut into parts of a prefix `length`."""
    return str(next(islice(ipaddress.ip_network(cidr).subnets(new_prefix=length), number, None)))


def _make_interfaces(ec2: Any, subnet: Subnet, spec: WorldSpec) -> list[Interface]:
    """Make the interfaces of a subnet; every second has a secondary address, the last ones are idle."""
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
        PrivateIpAddresses=[{"PrivateIpAddress": address, "Primary": place == 0} for place, address in enumerate(ipv4)],
        **({"Ipv6Addresses": [{"Ipv6Address": address} for address in ipv6]} if ipv6 else {}),
    )["NetworkInterface"]
    return Interface(made["NetworkInterfaceId"], made["OwnerId"], subnet, tuple(ipv4), tuple(ipv6), idle)


def _make_flow_log(ec2: Any, logs: Any, vpc: dict[str, Any], account_id: str) -> None:
    """Let a VPC write its flow logs, in the default format, to its log group."""
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
        raise RuntimeError(f"EC2 made no flow log: {answer['Unsuccessful']}")
