"""Reading the inventory of one account and region."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from kcl_flowlog.counting.subnets import FlowLog, Interface, Source, Subnet
from kcl_flowlog.inventory.ec2 import find_interfaces, read_inventory
from tests.support.ec2 import (
    DENIED,
    FLOW_LOGS,
    HERE,
    INTERFACES,
    SUBNETS,
    THROTTLED,
    UNREACHABLE,
    VPCS,
    FakeEc2,
    FakePaginator,
    Item,
    flow_log_item,
    interface_item,
    subnet_item,
)


def test_all_pages_are_read() -> None:
    """An account with more than one page is known completely."""
    ec2 = FakeEc2(((1, 2), (3,)), ((1,), (), (2, 3)), ((1,), (2,)))

    inventory = read_inventory(ec2, HERE, 1000.0)

    assert ["subnet-1", "subnet-2", "subnet-3"] == [subnet.subnet_id for subnet in inventory.subnets]
    assert ["eni-1", "eni-2", "eni-3"] == [interface.interface_id for interface in inventory.interfaces]
    assert ["fl-1", "fl-2"] == [flow_log.flow_log_id for flow_log in inventory.flow_logs]
    assert 1000.0 == inventory.taken_at
    assert (Source("eu-west-1", "111111111111", "eu-west-1", 1000.0, True, True),) == inventory.sources


def test_each_list_is_requested_once() -> None:
    """In pages of 1000, and with the interfaces that AWS services manage."""
    ec2 = FakeEc2()

    read_inventory(ec2, HERE, 1000.0)

    page = {"PaginationConfig": {"PageSize": 1000}}
    assert [
        (SUBNETS, page),
        (VPCS, page),
        (INTERFACES, {**page, "IncludeManagedResources": True}),
        (FLOW_LOGS, page),
    ] == ec2.requests


def test_a_subnet_has_all_that_ec2_says_about_it() -> None:
    """CIDRs of both families, zone id, owner and name; a detached IPv6 block is left out."""
    item = {
        **subnet_item(7),
        "AvailabilityZoneId": "euc1-az2",
        "OwnerId": "123456789012",
        "Tags": [{"Key": "team", "Value": "net"}, {"Key": "Name", "Value": "public-a"}],
        "Ipv6CidrBlockAssociationSet": [
            {"Ipv6CidrBlock": "2001:db8:1::/64", "Ipv6CidrBlockState": {"State": "associated"}},
            {"Ipv6CidrBlock": "2001:db8:2::/64", "Ipv6CidrBlockState": {"State": "disassociated"}},
        ],
    }
    expected = Subnet(
        subnet_id="subnet-7",
        vpc_id="vpc-1",
        availability_zone_id="euc1-az2",
        cidr="10.0.7.0/24",
        ipv6_cidrs=("2001:db8:1::/64",),
        account_id="123456789012",
        name="public-a",
        seen_at=5.0,
        source="eu-west-1",
        region="eu-west-1",
        vpc_name="vpc 1",
        tags=(("team", "net"),),
    )

    assert (expected,) == read_inventory(FakeEc2(((item,),)), HERE, 5.0, ("team", "cost-center")).subnets


def test_a_subnet_needs_no_ipv4_block_and_no_tags() -> None:
    """There are subnets with IPv6 only."""
    item = {
        "SubnetId": "subnet-6",
        "VpcId": "vpc-1",
        "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8::/64"}],
    }

    (subnet,) = read_inventory(FakeEc2(((item,),)), HERE, 5.0).subnets

    assert (("2001:db8::/64",), "", "") == (subnet.cidrs, subnet.name, subnet.account_id)


@pytest.mark.parametrize(
    ("fields", "addresses", "prefixes"),
    [
        ({}, (), ()),
        ({"PrivateIpAddress": "10.0.1.5"}, ("10.0.1.5",), ()),
        (
            {
                "PrivateIpAddress": "10.0.1.5",
                "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.5"}, {"PrivateIpAddress": "10.0.1.6"}],
                "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}],
                "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.1.64/28"}],
                "Ipv6Prefixes": [{"Ipv6Prefix": "2001:db8:0:0:7::/80"}],
            },
            ("10.0.1.5", "10.0.1.6", "2001:db8::5"),
            ("10.0.1.64/28", "2001:db8:0:0:7::/80"),
        ),
    ],
    ids=["none", "primary", "all"],
)
def test_an_interface_has_all_its_private_addresses(
    fields: Item, addresses: tuple[str, ...], prefixes: tuple[str, ...]
) -> None:
    """Primary, secondary and IPv6 addresses, each once, and the delegated prefixes."""
    ec2 = FakeEc2(interfaces=(({**interface_item(7), **fields},),))

    assert (Interface("eni-7", "subnet-1", "vpc-1", addresses, 5.0, prefixes, "eu-west-1"),) == (
        read_inventory(ec2, HERE, 5.0).interfaces
    )


class OldBoto3(FakeEc2):
    """EC2 as a client sees it that does not know the parameter `IncludeManagedResources`."""

    def get_paginator(self, operation: str) -> FakePaginator:
        return OldPaginator(self, operation)


class OldPaginator(FakePaginator):
    def paginate(self, **parameters: Any) -> Iterator[dict[str, list[Item]]]:
        if "IncludeManagedResources" in parameters:
            raise botocore.exceptions.ParamValidationError(report="Unknown parameter")
        yield from super().paginate(**parameters)


def test_an_old_boto3_lists_the_other_interfaces() -> None:
    """A parameter that it does not know is left out."""
    assert ["eni-1"] == [interface.interface_id for interface in read_inventory(OldBoto3(), HERE, 1.0).interfaces]


@pytest.mark.parametrize("make", [FakeEc2, OldBoto3])
def test_only_the_interfaces_that_a_source_has_are_found(make: type[FakeEc2]) -> None:
    """An id that EC2 does not know is no error."""
    ec2 = make(interfaces=((1, 2), (3,)))

    found = find_interfaces(ec2, HERE, ["eni-2", "eni-3", "eni-9"], 5.0)

    assert ["eni-2", "eni-3"] == [interface.interface_id for interface in found]
    assert {("subnet-1", 5.0, HERE.key)} == {
        (interface.subnet_id, interface.seen_at, interface.source) for interface in found
    }


def test_a_flow_log_that_fails_has_its_reason() -> None:
    """EC2 says it in words."""
    item = {**flow_log_item(1), "DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error"}
    ec2 = FakeEc2(flow_logs=((item, 2),))

    assert ["access_error", ""] == [flow_log.delivery_error for flow_log in read_inventory(ec2, HERE, 5.0).flow_logs]


def test_a_flow_log_has_its_format() -> None:
    """Flow logs to a log group are listed, also of a transit gateway; flow logs to a bucket are not."""
    to_bucket = {"FlowLogId": "fl-8", "ResourceId": "vpc-1", "LogDestinationType": "s3", "LogFormat": "${bytes}"}
    without_format = {"FlowLogId": "fl-7", "ResourceId": "vpc-1", "LogGroupName": "group"}
    transit = {"FlowLogId": "fl-9", "ResourceId": "tgw-1", "LogGroupName": "group", "LogFormat": "${tgw-id}"}
    rejects = {**transit, "FlowLogId": "fl-6", "TrafficType": "REJECT"}
    ec2 = FakeEc2(flow_logs=((1, to_bucket, without_format), (transit, rejects)))

    assert (
        FlowLog("fl-1", "vpc-1", "group", "${bytes}", "ALL", "111111111111", 5.0, "eu-west-1"),
        FlowLog("fl-9", "tgw-1", "group", "${tgw-id}", "ALL", "111111111111", 5.0, "eu-west-1"),
        FlowLog("fl-6", "tgw-1", "group", "${tgw-id}", "REJECT", "111111111111", 5.0, "eu-west-1"),
    ) == read_inventory(ec2, HERE, 5.0).flow_logs


@pytest.mark.parametrize(
    ("operation", "listed"),
    [(INTERFACES, (False, True, True)), (FLOW_LOGS, (True, False, True)), (VPCS, (True, True, False))],
)
def test_the_subnets_are_enough(operation: str, listed: tuple[bool, bool, bool]) -> None:
    """Without permission for the rest, the source says what is missing."""
    inventory = read_inventory(FakeEc2().fail(operation, DENIED), HERE, 5.0)

    (source,) = inventory.sources
    assert ["subnet-1"] == [subnet.subnet_id for subnet in inventory.subnets]
    assert listed == (source.interfaces_listed, source.flow_logs_listed, source.vpcs_listed)
    named = any(subnet.vpc_name for subnet in inventory.subnets)
    assert listed == (bool(inventory.interfaces), bool(inventory.flow_logs), named)


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (SUBNETS, DENIED),
        *(
            (operation, error)
            for operation in (SUBNETS, VPCS, INTERFACES, FLOW_LOGS)
            for error in (THROTTLED, UNREACHABLE)
        ),
    ],
)
def test_every_other_failure_is_raised(operation: str, error: Exception) -> None:
    """Half an inventory would move traffic to `unattributed`."""
    with pytest.raises(type(error)) as raised:
        read_inventory(FakeEc2().fail(operation, error), HERE, 5.0)

    assert error is raised.value
