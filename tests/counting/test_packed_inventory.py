"""The packed inventory answers as dictionaries do, and a file that is not whole is noticed."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_flowlog.counting import packed_inventory
from kcl_flowlog.counting.columns.networks import Networks
from kcl_flowlog.counting.intervals import SHARED, overlay, paint
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.inventory_tables import Tables
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.peers import PEERS, special_class
from kcl_flowlog.counting.prefixes import pack as pack_address
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.errors import UnusableInventory
from tests.support.builders import INVENTORY
from tests.support.dict_index import DictIndex

SUBNETS = ("subnet-a", "subnet-b", "subnet-c", "subnet-ä", "subnet-\ud800", "")
VPCS = ("vpc-1", "vpc-2", "vpc-3", "-")
INTERFACES = ("eni-a", "eni-aa", "eni-b", "eni-\U0001f600", "")
LOG_GROUPS, OWNERS = ("one", "two", ""), ("1", "2", "")
NAMES = (*INTERFACES, *SUBNETS, *VPCS)
CIDRS = (
    *("0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/16", "10.0.0.0/24", "10.0.0.128/25", "10.0.0.255/32", "10.0.1.0/24"),
    *("10.0.1.7/24", "255.255.255.0/24", "255.255.255.255", "198.51.100.0/24", "224.0.0.0/24"),
)
CIDRS_IPV6 = ("::/0", "2001:db8::/32", "2001:db8::/64", "2001:db8::ffff/128", "ffff::/16", "fe80::/64")
ADDRESSES = (
    *("0.0.0.0", "9.255.255.255", "10.0.0.0", "10.0.0.127", "10.0.0.128", "10.0.0.254", "10.0.0.255", "10.0.1.0"),
    *("10.0.1.255", "10.0.2.0", "10.1.0.0", "11.0.0.0", "198.51.100.9", "224.0.0.1", "255.255.255.255"),
    *("::", "::1", "2001:db7:ffff::", "2001:db8::", "2001:db8::ffff", "2001:db8::1:0:0:0", "2001:db9::"),
    *("fe80::1", "ffff::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "10.0.0.0.1", "not an address"),
)


def some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=most).map(tuple)


one_of = st.sampled_from
subnets = st.builds(
    Subnet,
    one_of([name for name in SUBNETS if name.isprintable()]),
    one_of(VPCS),
    one_of(("az1", "az2", "")),
    one_of(("", *CIDRS)),
    some(CIDRS_IPV6, 2),
    name=one_of(("", "x")),
    region=one_of(("", "here", "there")),
)
interfaces = st.builds(
    Interface,
    one_of(INTERFACES),
    one_of(SUBNETS),
    one_of(VPCS),
    some(ADDRESSES, 5),
    prefixes=some((*CIDRS, *CIDRS_IPV6), 2),
    interface_type=one_of(("", "interface", "lambda", "novel")),
)
flow_logs = st.builds(
    FlowLog,
    one_of(("fl-1", "fl-2")),
    one_of([name for name in NAMES if name.isprintable()]),
    one_of(LOG_GROUPS),
    st.just("${bytes}"),
    account_id=one_of(OWNERS),
)
sources = st.builds(
    Source, one_of(("a", "b")), one_of(OWNERS), interfaces_listed=st.booleans(), flow_logs_listed=st.booleans()
)
inventories = st.builds(
    Inventory,
    st.just(1.0),
    *(st.lists(each, max_size=most).map(tuple) for each, most in ((subnets, 8), (interfaces, 5), (flow_logs, 4))),
    st.lists(sources, max_size=2).map(tuple),
)


def contents(interface: KnownInterface | None) -> Any:
    """Return what an interface tells: itself, and what is in its delegated prefixes."""
    if interface is None:
        return None
    packed = [found for address in ADDRESSES if (found := pack_address(address)) is not None]
    directions = [interface.direction(address, None) for address in packed]
    return interface.subnet_id, interface.vpc_id, interface.addresses, interface.interface_type, directions


def answers(index: Index | DictIndex) -> dict[str, Any]:
    """Return the answers to all questions."""
    packed = [found for address in ADDRESSES if (found := pack_address(address)) is not None]
    streams = [
        LogStream(owner, group, name)
        for owner in OWNERS
        for group in (*LOG_GROUPS, "three")
        for name in ("", "eni-a-all")
    ]
    return {
        "subnets": [index.subnets.get(name) for name in NAMES],
        "interfaces": [contents(index.interfaces.get(name)) for name in NAMES],
        "has_interfaces": [name in index.interfaces for name in NAMES],
        "lists_subnet": [index.lists_subnet(name) for name in NAMES],
        "lists_vpc": [index.lists_vpc(name) for name in NAMES],
        "lists_interfaces": index.lists_interfaces,
        "find_in_vpc": [index.find_in_vpc(address, vpc_id) for address in packed for vpc_id in VPCS],
        "find_subnet": [index.find_subnet(address, vpc_id) for address in packed for vpc_id in VPCS],
        "possible": [
            index.possible_subnets(address, vpc_id, stream)
            for address in packed[::3]
            for vpc_id in ("vpc-1", "-")
            for stream in streams
        ],
        "flow_logs": [index.flow_logs_of(stream) for stream in streams],
        "scopes": [index.knows_scope_of(stream) for stream in streams],
    }


@given(inventories, st.booleans())
@settings(max_examples=40, deadline=None)
def test_each_lookup_finds_what_a_dictionary_has(inventory: Inventory, covers_unnamed: bool) -> None:
    """With ids that come twice, nested and equal networks, and texts of any kind."""
    expected = answers(DictIndex(inventory, covers_unnamed))

    assert expected == answers(Index(inventory, covers_unnamed))


@given(inventories)
@settings(max_examples=40, deadline=None)
def test_columns_find_the_same_subnets(inventory: Inventory) -> None:
    """Unless two subnets have one id, which columns leave to the other way."""
    index, reference = Index(inventory), DictIndex(inventory)
    networks = Networks(index)
    is_certain = all(reference.subnets[subnet.subnet_id] is subnet for subnet in inventory.subnets if subnet.cidrs)
    packed = [found for address in ADDRESSES if len(found := pack_address(address) or b"") == 4]
    addresses = np.array([int.from_bytes(address, "big") for address in packed])
    rows = list(reference.subnets)

    for vpc_id in VPCS:
        vpcs = np.full(len(packed), index.vpc_number(vpc_id))
        by_address = networks.find_ipv4(addresses)
        settled = networks.settle(addresses, vpcs)
        codes = np.where(by_address == SHARED, settled, by_address).tolist()
        if is_certain:
            assert networks.is_certain
            assert [code_of(reference.find_subnet(address, vpc_id), rows, address) for address in packed] == codes


def code_of(subnet: Subnet | None, rows: list[str], address: bytes) -> int:
    return len(rows) + [*PEERS].index(special_class(address)) if subnet is None else rows.index(subnet.subnet_id)


@pytest.mark.parametrize(
    ("networks", "expected"),
    [
        ({}, [(0, -1)]),
        ({(0, 16): 1}, [(0, 1)]),
        ({(4, 8): 1}, [(0, -1), (4, 1), (8, -1)]),
        ({(4, 8): 1, (8, 12): 1}, [(0, -1), (4, 1), (12, -1)]),
        ({(0, 8): 1, (4, 8): 2, (6, 8): 3}, [(0, 1), (4, 2), (6, 3), (8, -1)]),
        ({(0, 16): 1, (4, 8): 2, (12, 16): 3}, [(0, 1), (4, 2), (8, 1), (12, 3)]),
        ({(0, 8): 1, (0, 4): 2}, [(0, 2), (4, 1), (8, -1)]),
    ],
)
def test_the_smallest_network_counts(networks: dict[tuple[int, int], int], expected: list[tuple[int, int]]) -> None:
    """Of those that hold an address."""
    assert expected == paint(networks, 16)


def test_what_several_layers_have_is_shared() -> None:
    """A value of one layer alone stays, whatever the others have before and after."""
    first, second, third = [(0, -1), (4, 1), (8, 2), (12, -1)], [(0, -1), (6, 0), (10, -1)], [(0, -1)]

    assert [(0, -1), (4, 1), (6, SHARED), (10, 2), (12, -1)] == overlay([first, second, third])
    assert [(0, -1)] == overlay([])


def test_a_bounded_number_of_lookups_is_kept() -> None:
    """Records may name any number of interfaces, subnets and VPCs; what the inventory has is found all the same."""
    index = Index(INVENTORY)

    for number in range(9000):
        assert index.interfaces.get(f"eni-{number}") is None
        assert not index.lists_subnet(f"subnet-{number}")
        assert not index.lists_vpc(f"vpc-{number + 3}")

    kept = (index.interfaces.by_id, index.subnets._rows, index._vpc_numbers)
    assert [True] * 3 == [0 < len(cache) <= 8192 for cache in kept]
    assert ("subnet-a", True) == (index.interfaces["eni-a"].subnet_id, index.lists_vpc("vpc-1"))


# The file


PACKED = pack(INVENTORY)
OTHER_VERSION = PACKED[:8] + b"\x63" + PACKED[9:]


def check(data: bytes) -> None:
    packed_inventory.check(len(data), [data[:1000], data[1000:3000], data[3000:]])


def test_a_whole_file_is_read_as_it_was_written() -> None:
    """And as it was packed."""
    check(PACKED)

    assert answers(Index(INVENTORY)) == answers(Index(Tables(memoryview(PACKED))))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is damaged: it is too short"),
        (PACKED[:100], "is damaged: it is too short"),
        (PACKED[:-1], f"is damaged: it has {len(PACKED) - 1} bytes instead of {len(PACKED)}"),
        (PACKED + b"\0", f"is damaged: it has {len(PACKED) + 1} bytes instead of {len(PACKED)}"),
        (bytes(len(PACKED)), "is not a packed inventory"),
        (b'{"taken_at":1.0}' * 100, "is not a packed inventory"),
        (OTHER_VERSION, "is of another version of kcl-flowlog"),
        (PACKED[:-1] + b"?", "is damaged: its checksum is wrong"),
    ],
    ids=["empty", "a few bytes", "truncated", "longer", "zeros", "JSON", "another version", "another byte"],
)
def test_any_other_file_is_refused(data: bytes, expected: str) -> None:
    """Before anything of it is used."""
    with pytest.raises(UnusableInventory) as raised:
        check(data)

    assert expected == str(raised.value)


def test_no_byte_can_change_unnoticed() -> None:
    """Wherever it is."""
    for place in range(0, len(PACKED), 7):
        changed = bytearray(PACKED)
        changed[place] ^= 1 << place % 8
        with pytest.raises(UnusableInventory):
            check(bytes(changed))


def test_an_address_can_be_written_in_many_ways() -> None:
    """An interface is found by what it is."""
    interface = Interface("eni-a", "subnet-a", "vpc-1", ("2001:DB8:0::1", "10.0.0.1", "10.0.0.1"))

    found = Index(Inventory(1.0, (), (interface,))).interfaces["eni-a"]

    assert {socket.inet_pton(socket.AF_INET6, "2001:db8::1"), bytes((10, 0, 0, 1))} == found.addresses
