"""The inventory as a value, and looking things up in it.

`Inventory` is what EC2 said, as plain data that is saved as JSON; `Index` is
the same made fast to ask: an interface by id, a subnet by id, the subnet of
an address within a VPC, longest prefix first. Nothing here talks to AWS, and
nothing counts.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Subnet(msgspec.Struct, frozen=True):
    """A subnet as EC2 describes it; `seen_at` is when EC2 last named it, in Unix seconds."""

    subnet_id: str
    vpc_id: str
    availability_zone_id: str
    cidr: str
    ipv6_cidrs: tuple[str, ...] = ()
    account_id: str = ""
    name: str = ""
    seen_at: float = 0.0

    @property
    def cidrs(self) -> tuple[str, ...]:
        """All its CIDR blocks; a subnet of IPv6 only has no IPv4 block."""
        return ((self.cidr,) if self.cidr else ()) + self.ipv6_cidrs


class Interface(msgspec.Struct, frozen=True):
    """A network interface with all its private addresses, IPv4 and IPv6."""

    interface_id: str
    subnet_id: str
    vpc_id: str
    addresses: tuple[str, ...] = ()
    seen_at: float = 0.0


class Inventory(msgspec.Struct, frozen=True):
    """The subnets and interfaces known at `taken_at`, in Unix seconds.

    `interfaces_listed` is False where EC2 did not permit to list interfaces.
    """

    taken_at: float = 0.0
    subnets: tuple[Subnet, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    interfaces_listed: bool = True


def dump(inventory: Inventory) -> bytes:
    """Return the inventory as JSON, as `load` reads it."""
    return msgspec.json.encode(inventory)


def load(data: bytes) -> Inventory:
    """Return the inventory saved as `data`. Raises `msgspec.DecodeError` for anything else."""
    return msgspec.json.decode(data, type=Inventory)


def pack(address: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address, or None for a text that is none.

    Addresses are compared in this form, as IPv6 has many spellings.
    """
    try:
        if ":" in address:
            return socket.inet_pton(socket.AF_INET6, address)
        return socket.inet_pton(socket.AF_INET, address)
    except (OSError, ValueError):
        return None


class Prefixes(Generic[T]):
    """Networks, each with a value, asked for the longest that holds an address."""

    def __init__(self, networks: Iterable[tuple[str, T]] = ()) -> None:
        # Packed length → host bits → network → value. Few host bits come first: they are the longest prefixes.
        self._by_size: dict[int, dict[int, dict[int, T]]] = {4: {}, 16: {}}
        for cidr, value in networks:
            self.add(cidr, value)

    def add(self, cidr: str, value: T) -> None:
        """Make `value` the answer for addresses in `cidr`."""
        network = ipaddress.ip_network(cidr, strict=False)
        size = network.max_prefixlen // 8
        shift = network.max_prefixlen - network.prefixlen
        by_shift = self._by_size[size]
        if shift not in by_shift:
            by_shift[shift] = {}
            self._by_size[size] = dict(sorted(by_shift.items()))
        self._by_size[size][shift][int(network.network_address) >> shift] = value

    def find(self, packed: bytes) -> T | None:
        """Return the value of the longest network that holds the packed address, or None."""
        number = int.from_bytes(packed, "big")
        for shift, networks in self._by_size[len(packed)].items():
            value = networks.get(number >> shift)
            if value is not None:
                return value
        return None


class Station:
    """An interface as attribution wants it: its subnet and its packed addresses."""

    __slots__ = ("addresses", "subnet_id", "vpc_id")

    def __init__(self, subnet_id: str, vpc_id: str, addresses: Iterable[bytes]) -> None:
        self.subnet_id = subnet_id
        self.vpc_id = vpc_id
        self.addresses = frozenset(addresses)


class Index:
    """An inventory, made fast to ask."""

    def __init__(self, inventory: Inventory) -> None:
        self.subnets = {subnet.subnet_id: subnet for subnet in inventory.subnets}
        self.stations = {
            interface.interface_id: Station(
                interface.subnet_id,
                interface.vpc_id,
                [packed for packed in map(pack, interface.addresses) if packed is not None],
            )
            for interface in inventory.interfaces
        }
        self._vpcs: dict[str, Prefixes[Subnet]] = {}
        for subnet in inventory.subnets:
            networks = self._vpcs.setdefault(subnet.vpc_id, Prefixes())
            for cidr in subnet.cidrs:
                networks.add(cidr, subnet)

    def subnet_of(self, packed: bytes, vpc_id: str) -> Subnet | None:
        """Return the subnet of an address as seen from a VPC.

        Its own VPC comes first. An address outside it is looked up in the
        others, as a peered VPC's may appear; where several VPCs use the
        address, nothing tells which is meant, and the answer is None.
        """
        own = self._vpcs.get(vpc_id)
        if own is not None:
            found = own.find(packed)
            if found is not None:
                return found
        candidates = [found for networks in self._vpcs.values() if (found := networks.find(packed)) is not None]
        return candidates[0] if len(candidates) == 1 else None
