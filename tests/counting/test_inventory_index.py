"""Lookups in the inventory: what is certain, and what is only possible."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.prefixes import pack
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet, dump, load
from tests.support.builders import INVENTORY

OWNER, OTHER_OWNER = "123456789010", "999999999999"


def packed(address: str) -> bytes:
    found = pack(address)
    assert found is not None
    return found


def flow_log(name: str, resource_id: str, log_group: str = "group", account_id: str = OWNER) -> FlowLog:
    return FlowLog(name, resource_id, log_group, "${bytes}", account_id=account_id)


def index(*flow_logs: FlowLog) -> Index:
    return Index(Inventory(1.0, INVENTORY.subnets, INVENTORY.interfaces, flow_logs))


def log_stream(name: str = "", log_group: str = "group", owner: str = OWNER) -> LogStream:
    return LogStream(owner, log_group, name)


def test_an_inventory_survives_its_file() -> None:
    """What is saved is what is loaded."""
    inventory = Inventory(
        7.0,
        INVENTORY.subnets,
        (Interface("eni-p", "subnet-a", "vpc-1", ("10.0.1.50",), 5.0, ("10.0.1.64/28",), "here"),),
        (flow_log("fl-1", "vpc-1"),),
        (Source("here", OWNER, "eu-central-1", 6.0, False, True),),
    )

    assert inventory == load(dump(inventory))


def test_the_subnets_of_an_earlier_version_have_the_region_of_their_source() -> None:
    """It did not save the region of a subnet."""
    source = Source("here", OWNER, "eu-central-1")
    old = [Subnet(f"subnet-{key}", "vpc-1", "az1", "10.0.1.0/24", source=key) for key in ("here", "gone")]

    loaded = load(dump(Inventory(7.0, tuple(old), sources=(source,)))).subnets

    assert ["eu-central-1", ""] == [subnet.region for subnet in loaded]


def test_an_ipv6_only_subnet_has_no_ipv4_block() -> None:
    """An empty CIDR is not a block."""
    assert ("2001:db8::/64",) == Subnet("subnet-6", "vpc-1", "az1", "", ("2001:db8::/64",)).cidrs
    assert ("10.0.0.0/24", "2001:db8::/64") == Subnet("s", "v", "z", "10.0.0.0/24", ("2001:db8::/64",)).cidrs


@pytest.mark.parametrize(
    ("address", "vpc_id", "expected"),
    [
        ("10.0.1.77", "vpc-1", "subnet-a"),
        ("10.0.1.77", "vpc-2", "subnet-x"),
        ("10.0.1.77", "vpc-9", None),
        ("10.0.1.77", "-", None),
        ("10.0.9.77", "vpc-1", "subnet-y"),
        ("10.0.9.77", "-", "subnet-y"),
        ("2001:db8:1:c::1", "vpc-2", "subnet-c"),
        ("10.0.7.77", "vpc-1", None),
    ],
    ids=[
        "in the own VPC, although another VPC has the address",
        "in the other VPC",
        "in several VPCs, seen from a third",
        "in several VPCs, seen from nowhere",
        "in one other VPC only",
        "in one VPC only, seen from nowhere",
        "IPv6",
        "in no subnet",
    ],
)
def test_the_subnet_of_an_address(address: str, vpc_id: str, expected: str | None) -> None:
    """The own VPC comes first; of the others only one may have the address."""
    found = index().find_subnet(packed(address), vpc_id)

    assert expected == (found.subnet_id if found else None)


@pytest.mark.parametrize(
    ("vpc_id", "log_group", "expected"),
    [
        ("vpc-1", "one", ["subnet-a"]),
        ("vpc-2", "one", ["subnet-x"]),
        ("vpc-9", "one", []),
        ("-", "one", ["subnet-a"]),
        ("-", "two", ["subnet-x"]),
        ("-", "three", ["subnet-a"]),
        ("-", "four", []),
        ("-", "unknown", ["subnet-a", "subnet-x"]),
    ],
    ids=[
        "the record names its VPC",
        "or the other VPC",
        "or a VPC that the inventory lacks",
        "the log group records a VPC",
        "the log group records a subnet",
        "the log group records an interface: its subnet",
        "the log group records something else",
        "the log group is unknown: an address found in several VPCs",
    ],
)
def test_the_possible_subnets_of_an_interface(vpc_id: str, log_group: str, expected: list[str]) -> None:
    """By its VPC, else by what its log group records; an address found in several VPCs may be in each."""
    made = index(
        flow_log("fl-1", "vpc-1", "one"),
        flow_log("fl-2", "subnet-x", "two"),
        flow_log("fl-3", "eni-a", "three"),
        flow_log("fl-4", "vpc-9", "four"),
    )

    found = made.possible_subnets(packed("10.0.1.77"), vpc_id, log_stream(log_group=log_group))

    assert expected == [subnet.subnet_id for subnet in found]


def test_log_groups_of_two_accounts_may_have_the_same_name() -> None:
    """Each records what its account's flow logs cover, whichever is looked up first."""
    made = index(flow_log("fl-1", "vpc-1"), flow_log("fl-2", "vpc-2", account_id=OTHER_OWNER))

    def possible(owner: str) -> list[str]:
        found = made.possible_subnets(packed("10.0.1.77"), "-", log_stream(owner=owner))
        return [subnet.subnet_id for subnet in found]

    assert [["subnet-a"], ["subnet-x"], ["subnet-a"]] == [possible(name) for name in (OWNER, OTHER_OWNER, OWNER)]


def test_what_a_log_group_records_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow log may cover many resources, and every unlisted interface asks; log streams of a group share it."""
    made = index(flow_log("fl-1", "vpc-1"))
    made.knows_scope_of(log_stream("eni-0-all"))
    monkeypatch.setattr(made, "flow_logs_of", None)

    assert made.knows_scope_of(log_stream("eni-1-all"))


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (log_stream("eni-a-all"), ["by interface"]),
        (log_stream("eni-c-all"), ["by subnet"]),
        (log_stream("eni-b-all"), ["by vpc"]),
        (log_stream("eni-x-all"), ["by vpc", "by subnet", "by interface", "of no account"]),
        (log_stream("eni-0-all"), ["by vpc", "by subnet", "by interface", "of no account"]),
        (log_stream(owner=OTHER_OWNER), ["of another account", "of no account"]),
        (
            log_stream(owner="555555555555", log_group="else"),
            ["elsewhere"],
        ),
        (log_stream(log_group="unknown"), []),
    ],
    ids=[
        "over its interface",
        "over its subnet",
        "over its VPC",
        "over nothing of it: all of the log group",
        "of an unlisted interface",
        "of another account",
        "no flow log of the account: all of the log group",
        "no flow log at all",
    ],
)
def test_the_flow_logs_of_a_log_stream(stream: LogStream, expected: list[str]) -> None:
    """Those of the log group; narrowed to the account, then to the interface, if any is left."""
    made = index(
        flow_log("by vpc", "vpc-1" if stream.name.startswith("eni-b") else "vpc-8"),
        flow_log("by subnet", "subnet-c"),
        flow_log("by interface", "eni-a"),
        flow_log("of another account", "vpc-7", account_id=OTHER_OWNER),
        flow_log("of no account", "vpc-6", account_id=""),
        flow_log("elsewhere", "vpc-1", "else"),
    )

    assert expected == [found.flow_log_id for found in made.flow_logs_of(stream)]


def test_the_scope_of_a_log_group_is_known_by_its_flow_logs() -> None:
    """If EC2 lists no flow log at all, nothing can contradict an address."""
    assert index(flow_log("fl-1", "vpc-1")).knows_scope_of(log_stream())
    assert not index(flow_log("fl-1", "vpc-1")).knows_scope_of(log_stream(log_group="unknown"))
    assert index().knows_scope_of(log_stream())


HERE, THERE = Source("here", OWNER), Source("there", OTHER_OWNER)


@pytest.mark.parametrize(
    ("sources", "owner", "log_group", "expected"),
    [
        ((HERE,), OWNER, "group", ["subnet-a"]),
        ((HERE,), OTHER_OWNER, "group", []),
        ((HERE,), OTHER_OWNER, "anonymous", ["subnet-x"]),
        ((HERE, THERE), OTHER_OWNER, "group", ["subnet-a"]),
        ((HERE,), OTHER_OWNER, "else", []),
        ((HERE,), OWNER, "else", []),
        ((HERE,), "", "else", ["subnet-a", "subnet-x"]),
        ((Source("here", OWNER, flow_logs_listed=False),), OWNER, "else", ["subnet-a", "subnet-x"]),
        ((HERE, Source("role")), OTHER_OWNER, "else", []),
        ((Source("role", flow_logs_listed=False),), OTHER_OWNER, "else", ["subnet-a", "subnet-x"]),
    ],
    ids=[
        "a log group of its account",
        "an account that is not read, with a log group of the same name",
        "unless the flow log's account is not known",
        "an account that is read, and has no such flow log: another account writes to its log group",
        "another log group of an account that is not read",
        "a log group that no flow log writes to: of a region that is not read",
        "lines without an envelope",
        "an account whose flow logs are not listed",
        "a source whose account is not known may be the owner's",
        "and may not list flow logs",
    ],
)
def test_a_log_group_that_is_not_read_records_no_known_subnet(
    sources: tuple[Source, ...], owner: str, log_group: str, expected: list[str]
) -> None:
    """It may record a subnet with the same block."""
    flow_logs = (flow_log("fl-1", "vpc-1"), flow_log("fl-2", "vpc-2", "anonymous", account_id=""))
    made = Index(Inventory(1.0, INVENTORY.subnets, (), flow_logs, sources))

    found = made.possible_subnets(packed("10.0.1.77"), "-", log_stream(owner=owner, log_group=log_group))

    assert expected == [subnet.subnet_id for subnet in found]


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((), True),
        ((Source("a"),), True),
        ((Source("a"), Source("b", interfaces_listed=False)), True),
        ((Source("a", interfaces_listed=False), Source("b", interfaces_listed=False)), False),
    ],
)
def test_interfaces_are_listed_if_any_source_permits_it(sources: tuple[Source, ...], expected: bool) -> None:
    """A missing interface can be looked up only then."""
    assert expected is Index(Inventory(1.0, sources=sources)).lists_interfaces


@pytest.mark.parametrize(
    ("covers_unnamed", "log_group", "expected"), [(True, "", True), (False, "", False), (True, "x", False)]
)
def test_lines_without_a_log_group_may_be_of_the_inventory(
    covers_unnamed: bool, log_group: str, expected: bool
) -> None:
    """The user of `replay` says so; a log group with a name speaks for itself."""
    inventory = Inventory(1.0, INVENTORY.subnets, flow_logs=(flow_log("fl-1", "vpc-1"),))

    assert expected == Index(inventory, covers_unnamed).knows_scope_of(log_stream(log_group=log_group))
