"""Flow logs that record the same traffic."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.inventory.overlaps import Overlap, find


def flow_log(name: str, resource: str, traffic: str = "ALL", group: str = "group", seen_at: float = 2.0) -> FlowLog:
    return FlowLog(name, resource, group, "", traffic, seen_at=seen_at, source="here")


def inventory(*flow_logs: FlowLog) -> Inventory:
    return Inventory(
        2.0,
        (Subnet("subnet-1", "vpc-1", "", ""), Subnet("subnet-2", "vpc-2", "", "")),
        (Interface("eni-1", "subnet-1", "vpc-1"),),
        flow_logs,
        (Source("here", taken_at=2.0),),
    )


# Two flow logs, and whether they overlap: in the same log group (True), in another (False), or not at all (None).
PAIRS = {
    "of the same VPC": (flow_log("a", "vpc-1"), flow_log("b", "vpc-1"), True),
    "of a VPC and its subnet": (flow_log("a", "vpc-1"), flow_log("b", "subnet-1"), True),
    "of a VPC and its interface": (flow_log("a", "vpc-1"), flow_log("b", "eni-1"), True),
    "of a subnet and its interface": (flow_log("a", "subnet-1"), flow_log("b", "eni-1"), True),
    "in two log groups": (flow_log("a", "vpc-1"), flow_log("b", "subnet-1", group="two"), False),
    "of two VPCs": (flow_log("a", "vpc-1"), flow_log("b", "vpc-2"), None),
    "of a VPC and a subnet of another": (flow_log("a", "vpc-1"), flow_log("b", "subnet-2"), None),
    "all and rejects": (flow_log("a", "vpc-1"), flow_log("b", "eni-1", "REJECT"), True),
    "rejects twice": (flow_log("a", "vpc-1", "REJECT"), flow_log("b", "eni-1", "REJECT"), True),
    "accepts and rejects": (flow_log("a", "vpc-1", "ACCEPT"), flow_log("b", "vpc-1", "REJECT"), None),
    "with a deleted flow log": (flow_log("a", "vpc-1"), flow_log("b", "vpc-1", seen_at=1.0), None),
    "of the same transit gateway": (flow_log("a", "tgw-1"), flow_log("b", "tgw-1"), None),
    "of unknown resources": (flow_log("a", "vpc-9"), flow_log("b", "subnet-9"), None),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_flow_logs_overlap_if_one_covers_the_other(pair: str) -> None:
    """Whatever their order."""
    first, second, same_log_group = PAIRS[pair]
    expected = [] if same_log_group is None else [Overlap("a", "b", same_log_group)]

    assert expected == find(inventory(first, second))
    assert expected == find(inventory(second, first))


def test_three_flow_logs_of_a_vpc_are_three_pairs() -> None:
    """Each pair counts the same traffic."""
    flow_logs = [flow_log(name, "vpc-1") for name in "cab"]

    assert [("a", "b"), ("a", "c"), ("b", "c")] == [overlap[:2] for overlap in find(inventory(*flow_logs))]


def test_a_flow_log_of_an_unknown_source_exists() -> None:
    """Nothing says that it was deleted."""
    flow_logs = [FlowLog(name, "vpc-1", "group", "", seen_at=0.0, source="elsewhere") for name in "ab"]

    assert [Overlap("a", "b", True)] == find(inventory(*flow_logs))
