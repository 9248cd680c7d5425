"""The class of the other end of a flow, which says what its bytes cost."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.peers import PEERS, Peers, public_peer
from kcl_flowlog.counting.prefixes import pack
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from tests.support.placing import place

HERE, THERE = "eu-central-1", "us-east-1"
# Two accounts that share a zone, a second zone, another region, and subnets of which something is not known.
SUBNETS = (
    Subnet("subnet-own", "vpc-1", "euc1-az2", "10.1.0.0/24", ("2600:1f14:1::/64",), "111111111111", region=HERE),
    Subnet("subnet-own2", "vpc-1", "euc1-az2", "10.1.1.0/24", account_id="111111111111", region=HERE),
    Subnet("subnet-shared-zone", "vpc-2", "euc1-az2", "10.2.0.0/24", account_id="222222222222", region=HERE),
    Subnet("subnet-zone", "vpc-2", "euc1-az3", "10.2.1.0/24", account_id="222222222222", region=HERE),
    Subnet("subnet-region", "vpc-3", "use1-az2", "10.3.0.0/24", ("2600:1f14:3::/64",), region=THERE),
    Subnet("subnet-no-region", "vpc-4", "use1-az2", "10.4.0.0/24"),
    Subnet("subnet-no-zone", "vpc-5", "", "10.5.0.0/24", region=HERE),
    Subnet("subnet-no-zone2", "vpc-5", "", "10.5.1.0/24", region=HERE),
)
INVENTORY = Inventory(1.0, SUBNETS, (Interface("eni-1", "subnet-own", "vpc-1", ("10.1.0.10", "2600:1f14:1::10")),))


@pytest.mark.parametrize(
    ("subnet_id", "address", "expected"),
    [
        ("subnet-own", "10.1.0.77", "same_subnet"),
        ("subnet-own", "10.1.1.77", "same_zone"),
        ("subnet-own", "10.2.0.77", "same_zone"),
        ("subnet-own", "10.2.1.77", "cross_zone"),
        ("subnet-own", "10.3.0.77", "cross_region"),
        ("subnet-own", "2600:1f14:3::9", "cross_region"),
        ("subnet-region", "10.2.1.77", "cross_region"),
        ("subnet-own", "10.4.0.77", "cross_zone"),
        ("subnet-no-region", "10.3.0.77", "same_zone"),
        ("subnet-own", "10.5.0.77", "unknown"),
        ("subnet-no-zone", "10.5.1.77", "unknown"),
        ("subnet-no-zone", "10.5.0.77", "same_subnet"),
        ("subnet-no-zone", "10.3.0.77", "cross_region"),
        ("subnet-own", "8.8.8.8", "internet"),
        ("subnet-own", "192.168.1.1", "private"),
    ],
)
def test_the_address_tells_the_class(subnet_id: str, address: str, expected: str) -> None:
    """Zones are compared by id in whatever accounts; regions come before zones; what is not known is not guessed."""
    index = Index(INVENTORY)
    packed = pack(address)
    assert packed is not None

    assert expected == Peers(index, 9).find(subnet_id, index.subnets[subnet_id].vpc_id, packed)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("-", "internet"),
        ("S3", "aws_s3"),
        ("DYNAMODB", "aws_dynamodb"),
        ("EC2", "aws_other"),
        ("AMAZON", "aws_other"),
        ("A_SERVICE_OF_THE_FUTURE", "aws_other"),
    ],
)
def test_the_service_tells_the_class_of_a_public_address(service: str, expected: str) -> None:
    """As AWS names it."""
    assert expected == public_peer(service)
    assert expected in PEERS


FIELDS = LineFormat(
    "${interface-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr} ${pkt-src-aws-service} ${pkt-dst-aws-service}"
)
S3, OUTSIDE = "52.95.163.10", "203.0.113.9"


@pytest.mark.parametrize(
    ("words", "direction", "peer"),
    [
        (f"10.1.0.10 {S3} - - - S3", "egress", "aws_s3"),
        (f"{S3} 10.1.0.10 - - S3 -", "ingress", "aws_s3"),
        (f"10.1.0.10 {S3} - - S3 -", "egress", "internet"),
        (f"{S3} 10.1.0.10 - - - S3", "ingress", "internet"),
        (f"10.1.0.10 {S3} - - AMAZON DYNAMODB", "egress", "aws_dynamodb"),
        (f"10.1.0.10 10.1.1.9 10.1.0.10 {S3} - S3", "egress", "aws_s3"),
        (f"10.1.0.10 {OUTSIDE} - - - -", "egress", "internet"),
        (f"10.1.0.10 {OUTSIDE} - - - EC2", "egress", "aws_other"),
        ("10.1.0.10 10.1.1.9 - - - S3", "egress", "same_zone"),
        ("10.1.0.10 192.168.0.1 - - - S3", "egress", "private"),
        ("10.1.0.10 224.0.0.1 - - - S3", "egress", "unknown"),
        ("2600:1f14:1::10 2600:1f14:3::9 - - EC2 EC2", "egress", "cross_region"),
        ("10.1.0.10 - - - - S3", "egress", "unknown"),
        ("10.9.9.9 10.9.9.8 - - S3 S3", "unknown", "unknown"),
    ],
)
def test_only_the_service_of_the_other_end_counts(words: str, direction: str, peer: str) -> None:
    """And only if its address is public and not in the inventory."""
    assert ("subnet-own", direction, peer) == place("eni-1 " + words, INVENTORY, line_format=FIELDS)
