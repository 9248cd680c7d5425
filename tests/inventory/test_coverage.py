"""Subnets that no flow log records, and flow logs that fail."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.inventory import coverage
from kcl_flowlog.inventory.coverage import Coverage, FailingFlowLog

NOW, BEFORE = 1000.0, 900.0
SOURCE = Source("here", "111111111111", "eu-west-1", NOW)
OTHER = Source("there", "222222222222", "eu-west-1", NOW)


def subnet(number: int, vpc_id: str = "vpc-1", owner: str = SOURCE.account_id, seen_at: float = NOW) -> Subnet:
    return Subnet(f"subnet-{number}", vpc_id, "", "", account_id=owner, seen_at=seen_at, source="here")


def interface(number: int, subnet_number: int, seen_at: float = NOW) -> Interface:
    return Interface(f"eni-{number}", f"subnet-{subnet_number}", "vpc-1", seen_at=seen_at, source="here")


def flow_log(resource_id: str, seen_at: float = NOW, reason: str = "", source: str = "here") -> FlowLog:
    return FlowLog(f"fl-{resource_id}", resource_id, "group", "", seen_at=seen_at, source=source, delivery_error=reason)


@pytest.mark.parametrize(
    ("flow_logs", "interfaces", "expected"),
    [
        ([], [], ["subnet-1", "subnet-2"]),
        (["subnet-1"], [], ["subnet-2"]),
        (["vpc-1"], [], []),
        (["vpc-2"], [], ["subnet-1", "subnet-2"]),
        (["eni-1"], [(1, 1)], ["subnet-2"]),
        (["eni-1"], [(1, 1), (2, 1)], ["subnet-1", "subnet-2"]),
        (["eni-1", "eni-2"], [(1, 1), (2, 1), (3, 2)], ["subnet-2"]),
        (["eni-1", "subnet-2"], [(1, 1), (2, 2)], []),
    ],
    ids=[
        "no flow log",
        "a subnet",
        "its VPC",
        "another VPC",
        "its only interface",
        "one of two interfaces",
        "both interfaces",
        "an interface, and a subnet",
    ],
)
def test_a_flow_log_covers_a_subnet(
    flow_logs: list[str], interfaces: list[tuple[int, int]], expected: list[str]
) -> None:
    """A flow log of the subnet, of its VPC, or of each of its interfaces."""
    inventory = Inventory(
        NOW,
        (subnet(1), subnet(2)),
        tuple(interface(*numbers) for numbers in interfaces),
        tuple(map(flow_log, flow_logs)),
        (SOURCE,),
    )

    assert Coverage((), tuple(expected)) == coverage.find(inventory)


def test_what_is_deleted_neither_covers_nor_needs_a_flow_log() -> None:
    """It only stays known for a while."""
    inventory = Inventory(
        NOW,
        (subnet(1), subnet(2, seen_at=BEFORE), subnet(3)),
        (interface(1, 3), interface(2, 3, seen_at=BEFORE)),
        (flow_log("subnet-1", BEFORE, "access_error"), flow_log("eni-1")),
        (SOURCE,),
    )

    assert Coverage((), ("subnet-1",)) == coverage.find(inventory)


def test_flow_logs_that_fail_are_found() -> None:
    """With their reason."""
    flow_logs = (flow_log("vpc-1", reason="rate_limited"), flow_log("vpc-2"))

    assert Coverage((FailingFlowLog("fl-vpc-1", "rate_limited"),), ()) == coverage.find(
        Inventory(NOW, flow_logs=flow_logs, sources=(SOURCE,))
    )


def test_a_subnet_of_another_account_has_no_answer() -> None:
    """Its owner may record its VPC, which this account does not see; an account that is not known may be the owner."""
    subnets = (subnet(1, owner=OTHER.account_id), subnet(2, owner=""))

    assert ("subnet-2",) == coverage.find(Inventory(NOW, subnets, sources=(SOURCE,))).uncovered


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((), Coverage(None, None)),
        ((Source("here", "", "", NOW, flow_logs_listed=False),), Coverage(None, None)),
        ((Source("here", "", "", NOW, flow_logs_listed=False), OTHER), Coverage((), ())),
    ],
    ids=["nothing is read", "not permitted", "permitted in another account"],
)
def test_a_source_that_may_not_list_flow_logs_has_no_answer(sources: tuple[Source, ...], expected: Coverage) -> None:
    """If none may, nothing is known."""
    assert expected == coverage.find(Inventory(NOW, (subnet(1),), sources=sources))
