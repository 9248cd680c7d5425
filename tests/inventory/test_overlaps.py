"""Flow logs that record the same traffic: found by what they cover."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.inventory.overlaps import Overlap, find


def flow_log(name: str, resource: str, traffic: str = "ALL", group: str = "one", seen_at: float = 2.0) -> FlowLog:
    return FlowLog(name, resource, group, "", traffic, seen_at=seen_at, source="here")


def inventory(*flow_logs: FlowLog) -> Inventory:
    return Inventory(
        2.0,
        (Subnet("subnet-1", "vpc-1", "", ""), Subnet("subnet-2", "vpc-2", "", "")),
        (Interface("eni-1", "subnet-1", "vpc-1"),),
        flow_logs,
        (Source("here", taken_at=2.0),),
    )


# The claim, two flow logs, and whether they overlap: by the same log group, by another one, or not.
PAIRS = {
    "two over one VPC": (flow_log("a", "vpc-1"), flow_log("b", "vpc-1"), True),
    "over a VPC and its subnet": (flow_log("a", "vpc-1"), flow_log("b", "subnet-1"), True),
    "over a VPC and an interface of it": (flow_log("a", "vpc-1"), flow_log("b", "eni-1"), True),
    "over a subnet and its interface": (flow_log("a", "subnet-1"), flow_log("b", "eni-1"), True),
    "in two log groups": (flow_log("a", "vpc-1"), flow_log("b", "subnet-1", group="two"), False),
    "over two VPCs": (flow_log("a", "vpc-1"), flow_log("b", "vpc-2"), None),
    "over a VPC and a subnet of another": (flow_log("a", "vpc-1"), flow_log("b", "subnet-2"), None),
    "all and rejects": (flow_log("a", "vpc-1"), flow_log("b", "eni-1", "REJECT"), True),
    "rejects twice": (flow_log("a", "vpc-1", "REJECT"), flow_log("b", "eni-1", "REJECT"), True),
    "accepts and rejects": (flow_log("a", "vpc-1", "ACCEPT"), flow_log("b", "vpc-1", "REJECT"), None),
    "one that was deleted": (flow_log("a", "vpc-1"), flow_log("b", "vpc-1", seen_at=1.0), None),
    "two of a transit gateway": (flow_log("a", "tgw-1"), flow_log("b", "tgw-1"), None),
    "over what nobody knows": (flow_log("a", "vpc-9"), flow_log("b", "subnet-9"), None),
}


@pytest.mark.parametrize("claim", PAIRS)
def test_pair(claim: str) -> None:
    """Two flow logs overlap where one covers the other's traffic, whatever their order."""
    first, second, same_log_group = PAIRS[claim]
    expected = [] if same_log_group is None else [Overlap("a", "b", same_log_group)]

    assert expected == find(inventory(first, second))
    assert expected == find(inventory(second, first))


def test_three_over_one_vpc_are_three_pairs() -> None:
    """Each two of them count each other's traffic."""
    assert [("a", "b"), ("a", "c"), ("b", "c")] == [
        overlap[:2] for overlap in find(inventory(*(flow_log(name, "vpc-1") for name in "cab")))
    ]
