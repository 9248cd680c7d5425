"""Packs an inventory for processors: sorted ids, columns of numbers, and networks as intervals of addresses.

The launcher does it once for all processors, which only look up what they need. A lookup finds the same as if the
inventory were in dictionaries: of two entries with the same id, the later counts. Raises `ValueError` if a network is
not valid; addresses that are not valid are left out. Pure, and without numpy, for which the launcher has no other use.
"""

from __future__ import annotations

import ipaddress
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from socket import AF_INET, inet_pton

import msgspec

from kcl_flowlog.counting import packed_inventory
from kcl_flowlog.counting.interface_types import interface_type
from kcl_flowlog.counting.intervals import Layer, overlay, paint
from kcl_flowlog.counting.inventory_tables import Facts
from kcl_flowlog.counting.listed_interfaces import COLUMNS, DELEGATED
from kcl_flowlog.counting.listed_subnets import NONE
from kcl_flowlog.counting.packed_inventory import Sections
from kcl_flowlog.counting.prefixes import pack as pack_address
from kcl_flowlog.counting.sorted_texts import join, join_texts
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Subnet

_IPV4, _IPV6 = 4, 16

Networks = dict[tuple[int, int], int]
"""The row of the subnet of each network: its first address, and the address after its last."""


def pack(inventory: Inventory) -> bytes:
    """Return the packed inventory, as `inventory_tables.Tables` reads it."""
    subnets = inventory.subnets
    last = {subnet.subnet_id: place for place, subnet in enumerate(subnets)}
    # A row for each id, then those of subnets that a later subnet with the same id replaces.
    places = [*last.values(), *sorted({*range(len(subnets))}.difference(last.values()))]
    rows = {place: row for row, place in enumerate(places)}
    vpcs = {vpc_id: number for number, vpc_id in enumerate(dict.fromkeys(subnet.vpc_id for subnet in subnets))}
    networks = _networks(subnets, rows, vpcs)
    is_certain = all(row < len(last) for layers in networks.values() for layer in layers for row in layer.values())
    subnet_numbers = _with_others(
        {name: rows[place] for name, place in last.items()}, inventory.interfaces, "subnet_id"
    )
    vpc_numbers = _with_others(vpcs, inventory.interfaces, "vpc_id")
    interfaces, types = _interfaces(inventory.interfaces, [*subnet_numbers], [*vpc_numbers])
    facts = Facts(is_certain, len(last), types, inventory.sources)
    return packed_inventory.compose(
        {
            "facts": msgspec.json.encode(facts),
            **interfaces,
            **_subnets([subnets[place] for place in places]),
            **_ids("subnet", subnet_numbers),
            **_ids("vpc", vpc_numbers),
            **_layers("ipv4", networks[_IPV4], _IPV4),
            **_layers("ipv6", networks[_IPV6], _IPV6),
            **_flow_logs(inventory.flow_logs),
        }
    )


def check_networks(inventory: Inventory) -> None:
    """Raise `ValueError` if a network is not valid, so that the inventory can't be packed."""
    for subnet in inventory.subnets:
        for cidr in subnet.cidrs:
            ipaddress.ip_network(cidr, strict=False)
    for interface in inventory.interfaces:
        for prefix in interface.prefixes:
            ipaddress.ip_network(prefix, strict=False)


def _with_others(numbers: Mapping[str, int], interfaces: Iterable[Interface], key: str) -> dict[str, int]:
    """Return the numbers of all ids, sorted; those that only interfaces name have `NONE`."""
    ids = sorted({*numbers, *(getattr(interface, key) for interface in interfaces)})
    return {name: numbers.get(name, NONE) for name in ids}


def _ids(kind: str, numbers: Mapping[str, int]) -> Sections:
    ids, ends = join_texts(numbers)
    return {f"{kind}_ids": ids, f"{kind}_id_ends": ends, f"{kind}_numbers": array("q", numbers.values()).tobytes()}


def _interfaces(
    listed: Iterable[Interface], subnet_ids: Sequence[str], vpc_ids: Sequence[str]
) -> tuple[Sections, tuple[str, ...]]:
    """Return the sections of the interfaces, and their types."""
    # long because one loop fills all columns, of what may be fifty thousand interfaces.
    by_id = {interface.interface_id: interface for interface in listed}
    subnet_of = {name: place for place, name in enumerate(subnet_ids)}
    vpc_of = {name: place for place, name in enumerate(vpc_ids)}
    type_of: dict[str, int] = {}
    columns = [array("I") for _ in COLUMNS]
    addresses = {_IPV4: bytearray(), _IPV6: bytearray()}
    delegated = bytearray()
    for interface_id in sorted(by_id):
        interface = by_id[interface_id]
        for size, packed in _packed(interface.addresses):
            addresses[size] += packed
        for prefix in interface.prefixes:
            network = ipaddress.ip_network(prefix, strict=False)
            delegated += DELEGATED.pack(
                len(network.network_address.packed),
                network.max_prefixlen - network.prefixlen,
                network.network_address.packed,
            )
        row = (
            subnet_of[interface.subnet_id],
            vpc_of[interface.vpc_id],
            type_of.setdefault(interface_type(interface.interface_type), len(type_of)),
            len(addresses[_IPV4]),
            len(addresses[_IPV6]),
            len(delegated),
        )
        for column, number in zip(columns, row, strict=True):
            column.append(number)
    ids, ends = join_texts(sorted(by_id))
    sections: Sections = {
        "interface_ids": ids,
        "interface_id_ends": ends,
        "interface_columns": b"".join(column.tobytes() for column in columns),
        "addresses_ipv4": addresses[_IPV4],
        "addresses_ipv6": addresses[_IPV6],
        "delegated": delegated,
    }
    return sections, tuple(type_of)


def _packed(addresses: Sequence[str]) -> Iterable[tuple[int, bytes]]:
    """Return packed addresses, joined or not, each with the size of an address."""
    try:
        # Mostly all are IPv4. There may be half a million, and one by one they take three times as long.
        return ((_IPV4, b"".join([inet_pton(AF_INET, address) for address in addresses])),)
    except (OSError, ValueError):
        return [(len(packed), packed) for each in addresses if (packed := pack_address(each)) is not None]


def _subnets(subnets: Sequence[Subnet]) -> Sections:
    """Return the sections of the subnets, and of their zones: a subnet of each is an example."""
    entries, ends = join(map(msgspec.json.encode, subnets))
    zones: dict[tuple[str, str], int] = {}
    examples: list[int] = []
    of_subnet = array("q")
    for row, subnet in enumerate(subnets):
        zone = zones.setdefault((subnet.region, subnet.availability_zone_id), len(zones))
        if zone == len(examples):
            examples.append(row)
        of_subnet.append(zone)
    return {
        "subnets": entries,
        "subnet_ends": ends,
        "subnet_zones": of_subnet.tobytes(),
        "zone_examples": array("q", examples).tobytes(),
    }


def _networks(subnets: Sequence[Subnet], rows: Mapping[int, int], vpcs: Mapping[str, int]) -> dict[int, list[Networks]]:
    """Return the networks of each VPC, by the bytes of their addresses."""
    networks: dict[int, list[Networks]] = {size: [{} for _ in vpcs] for size in (_IPV4, _IPV6)}
    for place, subnet in enumerate(subnets):
        for cidr in subnet.cidrs:
            network = ipaddress.ip_network(cidr, strict=False)
            first = int(network.network_address)
            of_vpc = networks[network.max_prefixlen // 8][vpcs[subnet.vpc_id]]
            of_vpc[first, first + (1 << network.max_prefixlen - network.prefixlen)] = rows[place]
    return networks


def _layers(family: str, networks: Sequence[Networks], size: int) -> Sections:
    """Return the sections of the layers: the layer of all VPCs together comes first."""
    of_vpcs: list[Layer] = [paint(of_vpc, 256**size) for of_vpc in networks]
    layers = [overlay(of_vpcs), *of_vpcs]
    points = [point for layer in layers for point, _ in layer]
    return {
        # Numbers of 16 bytes are compared as bytes, so they are in the order of the network.
        f"points_{family}": array("q", points).tobytes()
        if size == _IPV4
        else b"".join(p.to_bytes(16, "big") for p in points),
        f"rows_{family}": array("q", [row for layer in layers for _, row in layer]).tobytes(),
        f"layer_ends_{family}": array("I", accumulate(map(len, layers))).tobytes(),
    }


def _flow_logs(flow_logs: Iterable[FlowLog]) -> Sections:
    by_group: dict[str, list[FlowLog]] = {}
    for flow_log in flow_logs:
        by_group.setdefault(flow_log.log_group, []).append(flow_log)
    numbers = {log_group: number for number, log_group in enumerate(by_group)}
    entries, entry_ends = join(map(msgspec.json.encode, by_group.values()))
    groups, group_ends = join_texts(sorted(by_group))
    return {
        "log_groups": groups,
        "log_group_ends": group_ends,
        "log_group_numbers": array("q", [numbers[name] for name in sorted(by_group)]).tobytes(),
        "flow_logs": entries,
        "flow_log_ends": entry_ends,
    }
