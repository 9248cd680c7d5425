"""The outcomes of log events: a table of every version of the format, and of every known peculiarity of AWS.

The id of a row is its claim. The inventory is that of `builders`: two VPCs with the same blocks.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from tests.support.builders import INVENTORY, counted, envelope, labelled

# A value for every field, as the AWS guide shows them: eni-a of subnet-a sends to the internet.
VALUES = {
    "version": "@",
    "account-id": "123456789010",
    "interface-id": "eni-a",
    "srcaddr": "10.0.1.10",
    "dstaddr": "203.0.113.5",
    "srcport": "49152",
    "dstport": "443",
    "protocol": "6",
    "packets": "20",
    "bytes": "4249",
    "start": "1418530010",
    "end": "1418530070",
    "action": "ACCEPT",
    "log-status": "OK",
    "vpc-id": "vpc-1",
    "subnet-id": "subnet-a",
    "instance-id": "i-01234567890123456",
    "tcp-flags": "19",
    "type": "IPv4",
    "pkt-srcaddr": "10.0.1.10",
    "pkt-dstaddr": "203.0.113.5",
    "region": "us-east-1",
    "az-id": "use1-az4",
    "sublocation-type": "-",
    "sublocation-id": "-",
    "pkt-src-aws-service": "-",
    "pkt-dst-aws-service": "S3",
    "flow-direction": "egress",
    "traffic-path": "8",
    "ecs-cluster-arn": "arn:aws:ecs:us-east-1:123456789010:cluster/shop",
    "ecs-cluster-name": "shop",
    "ecs-container-instance-arn": "-",
    "ecs-container-instance-id": "-",
    "ecs-container-id": "c0ffee",
    "ecs-second-container-id": "-",
    "ecs-service-name": "cart",
    "ecs-task-definition-arn": "arn:aws:ecs:us-east-1:123456789010:task-definition/cart:3",
    "ecs-task-arn": "arn:aws:ecs:us-east-1:123456789010:task/shop/1",
    "ecs-task-id": "1",
    "reject-reason": "-",
    "resource-id": "-",
    "encryption-status": "1",
    "instance-tag": "web%20shop",
    "instance-tag-2": "-",
    "interface-tag": "%2D",
    "interface-tag-2": "-",
    "asg-tag": "blue",
    "asg-tag-2": "-",
    "interface-type": "interface",
    "next-hop-interface-id": "-",
    "next-hop-subnet-id": "-",
    "next-hop-az-id": "-",
    "next-hop-vpc-id": "-",
    "next-hop-interface-type": "-",
}
GUIDE = "2 123456789010 {} {} {} 49761 3389 6 20 4249 1418530010 1418530070 {} OK"
PACKET = DEFAULT_FORMAT + " ${pkt-srcaddr} ${pkt-dstaddr}"

DELETED = Inventory(1.0, INVENTORY.subnets[:3])
UNLISTED = Inventory(
    1.0,
    INVENTORY.subnets,
    flow_logs=(
        FlowLog("fl-1", "vpc-1", "one", DEFAULT_FORMAT),
        FlowLog("fl-2", "subnet-y", "two", DEFAULT_FORMAT),
        FlowLog("fl-3", "subnet-x", "two", DEFAULT_FORMAT),
    ),
    sources=(Source("eu-west-1", interfaces_listed=False),),
)
SHARED = Inventory(
    1.0, (Subnet("subnet-0ff", "vpc-0ff", "az1", "172.31.0.0/20", account_id="999999999999"), *INVENTORY.subnets)
)
SIX_ONLY = Inventory(
    1.0,
    (*INVENTORY.subnets, Subnet("subnet-6", "vpc-1", "az1", "", ("2001:db8:1:6::/64",))),
    (Interface("eni-00000006", "subnet-6", "vpc-1", ("2001:db8:1:6::10",)),),
)
DELEGATED = Inventory(
    1.0,
    INVENTORY.subnets,
    (Interface("eni-p", "subnet-a", "vpc-1", ("10.0.1.50",), prefixes=("10.0.1.64/28", "2001:db8:1:a:7::/80")),),
)


def full(version: int, **unusual: str) -> str:
    """Return a line of all fields up to a version; `unusual` replaces values."""
    values = {**VALUES, "version": str(version), **{name.replace("_", "-"): word for name, word in unusual.items()}}
    return " ".join(values[name] for name, field in FIELDS.items() if field.version <= version)


def all_fields(version: int) -> str:
    return " ".join(f"${{{name}}}" for name, field in FIELDS.items() if field.version <= version)


def default(source: str, target: str, interface: str = "eni-a", action: str = "ACCEPT") -> str:
    return GUIDE.format(interface, source, target, action)


class Row(NamedTuple):
    """Lines of a log stream, and the outcome of the last; or its subnet, direction and peer, if it is counted."""

    lines: tuple[str, ...]
    expected: str | tuple[str, str, str]
    formats: tuple[str, ...] = ()
    log_stream: str = "eni-a-all"
    log_group: str = "flow-logs"
    inventory: Inventory = INVENTORY


def row(line: str, expected: str | tuple[str, str, str], *before: str, **other: object) -> Row:
    return Row((*before, line), expected, **other)  # type: ignore[arg-type]


OUT = ("subnet-a", "egress", "internet")
S3 = ("subnet-a", "egress", "aws_s3")
IN = ("subnet-a", "ingress", "internet")

VERSIONS = {
    f"version {version}: all its fields, in AWS's order": row(
        full(version), S3 if version >= 5 else OUT, formats=(all_fields(version),)
    )
    for version in (2, 3, 4, 5, 7, 8, 9, 10, 11)
} | {
    "version 6 is a transit gateway's, and has no subnet": row(
        "6 TransitGateway 123456789012 tgw-1 tgw-attach-1 1 2 vpc-1 vpc-2 subnet-1 subnet-2 eni-1 eni-2 az1 az2"
        " tgw-attach-2 10.0.1.1 10.2.1.1 1 2 6 3 4 1700000000 1700000060 OK IPv4 0 0 0 0 19 eu-west-1 ingress - -",
        "unsupported",
    )
}

PECULIARITIES = {
    "all fields in the reverse order": row(
        " ".join(reversed(full(11).split())), S3, formats=(" ".join(reversed(all_fields(11).split())),)
    ),
    "a few fields only": row(
        "10.0.1.10 203.0.113.5 4249 ACCEPT", OUT, formats=("${srcaddr} ${dstaddr} ${bytes} ${action}",)
    ),
    "a field of an unknown name": row(
        "eni-a 10.0.1.10 full 203.0.113.5", OUT, formats=("${interface-id} ${srcaddr} ${moon-phase} ${dstaddr}",)
    ),
    "runs of spaces": row("   " + default("10.0.1.10", "203.0.113.5").replace(" ", "  "), OUT),
    "an account that is unknown": row(default("10.0.1.10", "203.0.113.5").replace("123456789010", "unknown"), OUT),
    "- for every field that may be missing": row(
        full(11, **dict.fromkeys((name.replace("-", "_") for name in list(FIELDS)[16:]), "-")),
        ("subnet-a", "egress", "internet"),
        formats=(all_fields(11),),
    ),
    "- for ports, protocol, packets, bytes, start and end": row(
        "2 123456789010 eni-a 10.0.1.10 203.0.113.5 - - - - - - - ACCEPT OK", OUT
    ),
    "bytes missing on a reject of Block Public Access": row(
        full(8, bytes="-", action="REJECT", reject_reason="BPA"), S3, formats=(all_fields(8),)
    ),
    "start and end in milliseconds": row(
        "2 123456789010 eni-a 10.0.1.10 203.0.113.5 1 2 6 3 4 1418530010000 1418530070000 ACCEPT OK", OUT
    ),
    "no log-status, and addresses": row(
        "eni-a 10.0.1.10 203.0.113.5", OUT, formats=("${interface-id} ${srcaddr} ${dstaddr}",)
    ),
    "no log-status, and no addresses": row("eni-a - -", "nodata", formats=("${interface-id} ${srcaddr} ${dstaddr}",)),
    "no version": row(
        "eni-a 10.0.1.10 203.0.113.5 OK", OUT, formats=("${interface-id} ${srcaddr} ${dstaddr} ${log-status}",)
    ),
    "NODATA": row("2 123456789010 eni-a - - - - - - - 1431280876 1431280934 - NODATA", "nodata"),
    "SKIPDATA": row("2 123456789010 eni-a - - - - - - - 1431280876 1431280934 - SKIPDATA", "skipdata"),
    "a transformed event": row(
        json.dumps(
            {"version": 2, "interfaceId": "eni-a", "srcAddr": "10.0.1.10", "dstAddr": "203.0.113.5", "bytes": 4}
        ),
        OUT,
    ),
    "a transformed event without data": row('{"interfaceId": "eni-a", "logStatus": "NODATA"}', "nodata"),
    "a log event of something else": row("START RequestId: 8f5d Version: $LATEST", "malformed"),
    "JSON of something else": row('{"eventName": "RunInstances"}', "malformed"),
    "an empty message": row("", "malformed"),
    # Addresses and subnets
    "a secondary address": row(default("203.0.113.5", "10.0.1.11"), IN),
    "an address of a delegated prefix": row(default("10.0.1.70", "203.0.113.5", "eni-p"), OUT, inventory=DELEGATED),
    "an IPv6 address of a delegated prefix": row(
        default("2600::1", "2001:db8:1:a:7::9", "eni-p"), IN, inventory=DELEGATED
    ),
    "a subnet of IPv6 only": row(
        default("2001:db8:1:6::10", "2001:db8:1:a::10", "eni-00000006"),
        ("subnet-6", "egress", "same_zone"),
        inventory=SIX_ONLY,
    ),
    "the interface by the log stream, as the format lacks it": row(
        "10.0.1.10 203.0.113.5", OUT, formats=("${srcaddr} ${dstaddr}",), log_stream="eni-a-reject"
    ),
    "two VPCs with equal blocks: the interface decides": row(
        default("10.0.1.10", "10.0.1.77", "eni-x"), ("subnet-x", "egress", "same_subnet")
    ),
    "a subnet of another account that is shared with this one": row(
        default("172.31.0.9", "203.0.113.5", "eni-000000ff"),
        ("subnet-0ff", "egress", "internet"),
        default("172.31.0.9", "203.0.113.6", "eni-000000ff"),
        inventory=SHARED,
    ),
    "a subnet that no inventory has, by its id": row(
        full(5, subnet_id="subnet-00000777", vpc_id="vpc-00000007", interface_id="eni-00000007"),
        ("subnet-00000777", "egress", "aws_s3"),
        formats=(all_fields(5),),
    ),
    "subnet-id wins over the inventory": row(
        full(3, subnet_id="subnet-b"), ("subnet-b", "egress", "internet"), formats=(all_fields(3),)
    ),
    "a subnet id that is not valid": row(full(3, subnet_id="10.0.1.0/24"), "malformed", formats=(all_fields(3),)),
    # Interfaces that the inventory lacks
    "a deleted interface, by the address common to its records": row(
        default("10.0.1.9", "10.0.2.1", "eni-deadbeef"),
        ("subnet-a", "egress", "same_zone"),
        default("10.0.3.1", "10.0.1.9", "eni-deadbeef"),
        inventory=DELETED,
    ),
    "a deleted interface with one record, of which one end is in the VPC": row(
        default("203.0.113.5", "10.0.1.9", "eni-deadbeef"), IN, inventory=DELETED
    ),
    "a deleted interface with one record inside the VPC": row(
        default("10.0.1.9", "10.0.2.9", "eni-deadbeef"), "unattributed", inventory=DELETED
    ),
    "a loop of a deleted interface": row(
        default("10.0.1.9", "10.0.1.9", "eni-deadbeef"), ("subnet-a", "unknown", "same_subnet"), inventory=DELETED
    ),
    "IPv6 of a deleted interface that was known by IPv4": row(
        default("2001:db8:1:a::9", "2600::1", "eni-deadbeef"),
        OUT,
        default("10.0.1.9", "10.0.2.1", "eni-deadbeef"),
        default("10.0.1.9", "10.0.3.1", "eni-deadbeef"),
        inventory=DELETED,
    ),
    "without permission, in overlapping VPCs: the log group's flow log tells the VPC": row(
        default("10.0.1.10", "203.0.113.5", "eni-facefeed"), OUT, inventory=UNLISTED, log_group="one"
    ),
    "without permission, in overlapping VPCs: or its subnet": row(
        default("10.0.1.10", "203.0.113.5", "eni-facefeed"),
        ("subnet-x", "egress", "internet"),
        inventory=UNLISTED,
        log_group="two",
    ),
    "without permission, in overlapping VPCs: no other VPC has its IPv6": row(
        default("10.0.1.10", "203.0.113.5", "eni-facefeed"),
        OUT,
        default("2001:db8:1:a::9", "2600::1", "eni-facefeed"),
        default("2001:db8:1:a::9", "2600::2", "eni-facefeed"),
        default("10.0.1.10", "203.0.113.6", "eni-facefeed"),
        inventory=Inventory(1.0, INVENTORY.subnets),
    ),
    "without permission, in overlapping VPCs: vpc-id tells it": row(
        "eni-facefeed 10.0.1.10 203.0.113.5 vpc-2",
        ("subnet-x", "egress", "internet"),
        formats=("${interface-id} ${srcaddr} ${dstaddr} ${vpc-id}",),
        inventory=UNLISTED,
    ),
    "without permission, in overlapping VPCs: nothing tells": row(
        default("10.0.1.10", "203.0.113.5", "eni-facefeed"), "unattributed", inventory=Inventory(1.0, INVENTORY.subnets)
    ),
    "an interface of a log group that has no known flow log": row(
        default("192.0.2.5", "10.0.2.10", "eni-00fab1ed"), "unattributed", inventory=UNLISTED, log_group="theirs"
    ),
    # NAT gateways and load balancers
    "a regional NAT gateway has no interface, and the instance's own record counts": row(
        default("10.0.1.10", "203.0.113.5", "-"), "unattributed", log_stream="nat-0123-all"
    ),
    "a regional NAT gateway whose record names a subnet": row(
        "- 10.0.1.10 203.0.113.5 vpc-1 subnet-a egress nat-0123",
        OUT,
        formats=("${interface-id} ${srcaddr} ${dstaddr} ${vpc-id} ${subnet-id} ${flow-direction} ${resource-id}",),
        log_stream="nat-0123-all",
    ),
    "a NAT gateway, from the instance: the packet is on its way to the internet, but comes from the zone": row(
        default("10.0.2.9", "10.0.1.10") + " 10.0.2.9 203.0.113.5",
        ("subnet-a", "ingress", "same_zone"),
        formats=(PACKET,),
    ),
    "a NAT gateway, to the internet": row(
        default("10.0.1.10", "203.0.113.5") + " 10.0.1.10 203.0.113.5", OUT, formats=(PACKET,)
    ),
    "a NAT gateway, back to the instance": row(
        default("10.0.1.10", "10.0.2.9") + " 203.0.113.5 10.0.2.9",
        ("subnet-a", "egress", "same_zone"),
        formats=(PACKET,),
    ),
    "an instance behind a load balancer that keeps the client's address": row(
        default("10.0.2.9", "10.0.1.10") + " 198.51.100.9 10.0.1.10", IN, formats=(PACKET,)
    ),
    "an interface that forwards: the far end is the packet's, not the next hop": row(
        default("10.0.1.10", "10.0.2.9") + " 10.0.1.10 203.0.113.9", OUT, formats=(PACKET,)
    ),
    "a packet address that is not valid": row(
        default("10.0.1.10", "203.0.113.5") + " 10.0.1.10 nowhere", "malformed", formats=(PACKET,)
    ),
}


@pytest.mark.parametrize("claim", [*VERSIONS, *PECULIARITIES])
def test_the_outcome_of_a_record(claim: str) -> None:
    """The last line of a row has the outcome, or the subnet, direction and peer, of its claim."""
    lines, expected, formats, log_stream, log_group, inventory = {**VERSIONS, **PECULIARITIES}[claim]
    fields = {"logStream": log_stream, "logGroup": log_group}

    delta, _ = counted(envelope(*lines, **fields), inventory=inventory, formats=formats)

    events = labelled(delta, counts.EVENTS)
    assert len(lines) == sum(events.values())
    if isinstance(expected, str):
        assert {expected: 1} == events
    else:
        assert {"counted": len(lines)} == events
        places = [(key.subnet_id, key.direction, key.peer) for key in delta.traffic]
        assert expected in places
        assert len(lines) > 1 or [expected] == places


def test_every_version_is_in_the_table() -> None:
    """2 to 11; a new version needs a new row."""
    assert {field.version for field in FIELDS.values()} | {6} == set(range(2, 12))
    assert len(VERSIONS) == 10
    assert VALUES.keys() == FIELDS.keys()
