"""The inventory as a value, and looking things up in it.

`Inventory` is what EC2 said, as plain data that is saved as JSON; `Index` is
the same made fast to ask: an interface by id, a subnet by id, the subnet of
an address within a VPC, longest prefix first, the flow logs of a log group.
Nothing here talks to AWS, and nothing counts.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

import msgspec

from kcl_flowlog.counting.flow_record import NONE
from kcl_flowlog.counting.log_stream import LogStream

T = TypeVar("T")

INGRESS = "ingress"
EGRESS = "egress"
UNKNOWN = "unknown"

# The owner of a log group is the sender's word, so there could be any number of them.
_MOST_SCOPES = 4096


class Subnet(msgspec.Struct, frozen=True):
    """A subnet as EC2 describes it.

    Here and below, `seen_at` is when EC2 last named it, in Unix seconds, and
    `source` the key of the `Source` that it was read from.
    """

    subnet_id: str
    vpc_id: str
    availability_zone_id: str
    cidr: str
    ipv6_cidrs: tuple[str, ...] = ()
    account_id: str = ""
    name: str = ""
    seen_at: float = 0.0
    source: str = ""

    @property
    def cidrs(self) -> tuple[str, ...]:
        """All its CIDR blocks; a subnet of IPv6 only has no IPv4 block."""
        return ((self.cidr,) if self.cidr else ()) + self.ipv6_cidrs


class Interface(msgspec.Struct, frozen=True):
    """A network interface with all its private addresses and delegated prefixes, IPv4 and IPv6."""

    interface_id: str
    subnet_id: str
    vpc_id: str
    addresses: tuple[str, ...] = ()
    seen_at: float = 0.0
    prefixes: tuple[str, ...] = ()
    source: str = ""


class FlowLog(msgspec.Struct, frozen=True):
    """A flow log that is written to a log group, as EC2 describes it.

    `resource_id` is the VPC, subnet, interface or transit gateway whose
    traffic it records; `log_format` the format of its lines, `${field} …`;
    `traffic_type` is ACCEPT, REJECT or ALL. `account_id` is the account that
    has it, empty where that is not known.
    """

    flow_log_id: str
    resource_id: str
    log_group: str
    log_format: str
    traffic_type: str = "ALL"
    account_id: str = ""
    seen_at: float = 0.0
    source: str = ""


class Source(msgspec.Struct, frozen=True):
    """One account and region that the inventory is read from.

    `key` tells it from the others for good; `taken_at` is when it was last
    read with success, in Unix seconds, 0 where never. `interfaces_listed` and
    `flow_logs_listed` are False where EC2 does not permit that.
    """

    key: str
    account_id: str = ""
    region: str = ""
    taken_at: float = 0.0
    interfaces_listed: bool = True
    flow_logs_listed: bool = True


class Inventory(msgspec.Struct, frozen=True):
    """What is known of all sources; `taken_at` is when the last of them was read anew, in Unix seconds."""

    taken_at: float = 0.0
    subnets: tuple[Subnet, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    flow_logs: tuple[FlowLog, ...] = ()
    sources: tuple[Source, ...] = ()


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
    """An interface as attribution wants it: its subnet, its packed addresses, its delegated prefixes."""

    __slots__ = ("_prefixes", "addresses", "subnet_id", "vpc_id")

    def __init__(
        self, subnet_id: str, vpc_id: str, addresses: Iterable[bytes], prefixes: Prefixes[bool] | None = None
    ) -> None:
        self.subnet_id = subnet_id
        self.vpc_id = vpc_id
        self.addresses = frozenset(addresses)
        self._prefixes = prefixes

    def direction(self, source: bytes | None, destination: bytes | None) -> str:
        """Return which way a record of this interface goes, by its packed ends; None stands for a missing one."""
        outbound, inbound = source in self.addresses, destination in self.addresses
        if outbound == inbound and self._prefixes is not None:
            outbound, inbound = self._delegated(source), self._delegated(destination)
        if outbound == inbound:
            return UNKNOWN
        return EGRESS if outbound else INGRESS

    def _delegated(self, address: bytes | None) -> bool:
        return self._prefixes is not None and address is not None and self._prefixes.find(address) is not None


def _station(interface: Interface) -> Station:
    packed = [address for address in map(pack, interface.addresses) if address is not None]
    prefixes = Prefixes([(prefix, True) for prefix in interface.prefixes]) if interface.prefixes else None
    return Station(interface.subnet_id, interface.vpc_id, packed, prefixes)


class Scope(NamedTuple):
    """The VPCs and subnets whose traffic a log group records."""

    vpc_ids: frozenset[str]
    subnet_ids: frozenset[str]

    def holds(self, subnet: Subnet) -> bool:
        """Say whether the log group records the traffic of a subnet, or of an interface in it."""
        return subnet.vpc_id in self.vpc_ids or subnet.subnet_id in self.subnet_ids


class Index:
    """An inventory, made fast to ask."""

    def __init__(self, inventory: Inventory) -> None:
        self.subnets = {subnet.subnet_id: subnet for subnet in inventory.subnets}
        self.stations = {interface.interface_id: _station(interface) for interface in inventory.interfaces}
        self._vpcs: dict[str, Prefixes[Subnet]] = {}
        for subnet in inventory.subnets:
            networks = self._vpcs.setdefault(subnet.vpc_id, Prefixes())
            for cidr in subnet.cidrs:
                networks.add(cidr, subnet)
        self._flow_logs: dict[str, list[FlowLog]] = {}
        for flow_log in inventory.flow_logs:
            self._flow_logs.setdefault(flow_log.log_group, []).append(flow_log)
        self.lists_interfaces = all(source.interfaces_listed for source in inventory.sources)
        self._scopes: dict[tuple[str, str], Scope] = {}

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
        candidates = self._subnets_with(packed)
        return candidates[0] if len(candidates) == 1 else None

    def homes_of(self, packed: bytes, vpc_id: str, stream: LogStream) -> list[Subnet]:
        """Return the subnets that an interface with this address may be in, if its log stream is this one.

        That is in its VPC, where known, else in what the log group records;
        several VPCs may have the address.
        """
        if vpc_id != NONE:
            own = self._vpcs.get(vpc_id)
            found = own.find(packed) if own is not None else None
            return [found] if found is not None else []
        candidates = self._subnets_with(packed)
        scope = self._scope_of(stream)
        return candidates if scope is None else [subnet for subnet in candidates if scope.holds(subnet)]

    def flow_logs_of(self, stream: LogStream) -> list[FlowLog]:
        """Return the flow logs that may have written a log stream's lines.

        Those of the log group, in its owner's account where any is; and of
        these, those that cover the stream's interface, where it is known.
        """
        flow_logs = self._flow_logs.get(stream.log_group, [])
        flow_logs = [one for one in flow_logs if one.account_id in ("", stream.owner)] or flow_logs
        station = self.stations.get(stream.interface_id)
        if station is None:
            return flow_logs
        over = (stream.interface_id, station.subnet_id, station.vpc_id)
        return [one for one in flow_logs if one.resource_id in over] or flow_logs

    def _subnets_with(self, packed: bytes) -> list[Subnet]:
        return [found for networks in self._vpcs.values() if (found := networks.find(packed)) is not None]

    def tells_scope_of(self, stream: LogStream) -> bool:
        """Say whether it is known what a log group records, or nothing is known of any."""
        return not self._flow_logs or self._scope_of(stream) is not None

    def _scope_of(self, stream: LogStream) -> Scope | None:
        """Return what a log group records, None where EC2 told nothing of it."""
        if stream.log_group not in self._flow_logs:
            return None
        key = (stream.owner, stream.log_group)
        scope = self._scopes.get(key)
        if scope is None:
            resources = frozenset(one.resource_id for one in self.flow_logs_of(stream._replace(name="")))
            homes = frozenset(self.stations[one].subnet_id for one in resources if one in self.stations)
            if len(self._scopes) >= _MOST_SCOPES:
                self._scopes.clear()
            scope = self._scopes[key] = Scope(resources, resources | homes)
        return scope
