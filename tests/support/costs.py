"""Traffic that costs differently, and the labels that tell it apart."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet

HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    " vpc-id subnet-id pkt-srcaddr pkt-dstaddr az-id pkt-src-aws-service pkt-dst-aws-service flow-direction"
    " traffic-path"
)
_LINE = (
    "5 123456789012 {eni} {source} {target} 49152 443 6 10 {octets} 1700000000 1700000060 ACCEPT OK"
    " vpc-0000000a subnet-0000000a {source} {packet} euc1-az1 - {service} {direction} {path}"
)
SERVER, NAT, S3, DYNAMODB, GOOGLE, ABROAD, INSIDE = (
    *("10.0.1.10", "10.0.1.20", "52.219.170.9", "52.119.188.4", "8.8.8.8", "10.9.1.5", "10.0.2.7"),
)
INVENTORY = Inventory(
    1.0,
    (
        Subnet("subnet-0000000a", "vpc-0000000a", "euc1-az1", "10.0.1.0/24", region="eu-central-1"),
        Subnet("subnet-0000000b", "vpc-0000000a", "euc1-az1", "10.0.2.0/24", region="eu-central-1"),
        Subnet("subnet-0000000f", "vpc-0000000f", "use1-az1", "10.9.1.0/24", region="us-east-1"),
    ),
    (
        Interface("eni-00000001", "subnet-0000000a", "vpc-0000000a", (SERVER,), interface_type="interface"),
        Interface("eni-00000002", "subnet-0000000a", "vpc-0000000a", (NAT,), interface_type="nat_gateway"),
    ),
)


class Cost(NamedTuple):
    """A line, and the labels and bytes of its series."""

    line: str
    direction: str
    peer: str
    path: str
    interface_type: str
    octets: int


def _from_server(target: str, service: str, number: int, octets: int) -> str:
    return _LINE.format(
        eni="eni-00000001",
        source=SERVER,
        target=target,
        packet=target,
        octets=octets,
        service=service,
        direction="egress",
        path=number,
    )


def _of_nat(source: str, target: str, direction: str, path: str, octets: int) -> str:
    return _LINE.format(
        eni="eni-00000002",
        source=source,
        target=target,
        packet=GOOGLE,
        octets=octets,
        service="-",
        direction=direction,
        path=path,
    )


COSTS = {
    "S3 through a gateway endpoint": Cost(
        _from_server(S3, "S3", 7, 1001), "egress", "aws_s3", "vpc_endpoint", "interface", 1001
    ),
    "S3 through the internet gateway": Cost(
        _from_server(S3, "S3", 8, 1002), "egress", "aws_s3", "internet_gateway", "interface", 1002
    ),
    "DynamoDB through a gateway endpoint": Cost(
        _from_server(DYNAMODB, "DYNAMODB", 7, 1003), "egress", "aws_dynamodb", "vpc_endpoint", "interface", 1003
    ),
    "a subnet of another region": Cost(
        _from_server(ABROAD, "-", 5, 1004), "egress", "cross_region", "inter_region_peering", "interface", 1004
    ),
    "8.8.8.8, directly": Cost(
        _from_server(GOOGLE, "-", 8, 1005), "egress", "internet", "internet_gateway", "interface", 1005
    ),
    "8.8.8.8 through a NAT gateway: what the gateway sends": Cost(
        _of_nat(NAT, GOOGLE, "egress", "8", 1006), "egress", "internet", "internet_gateway", "nat_gateway", 1006
    ),
    "8.8.8.8 through a NAT gateway: what the gateway receives from the other subnet": Cost(
        _of_nat(INSIDE, NAT, "ingress", "-", 1007), "ingress", "same_zone", "unknown", "nat_gateway", 1007
    ),
}
