"""Interfaces that the inventory does not list: found by what their records have in common.

An interface may be deleted, too new, in an account that is not read, or EC2
may not permit listing it. Its own addresses are learned from its records, and
tell its subnet. Holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.own_addresses import MAX_INTERFACES, OwnAddresses
from kcl_flowlog.counting.subnets import Subnet

_Key = tuple[str, str, LogStream]


class UnlistedInterfaces:
    """Learns from records, and finds the subnet of an interface; addresses are packed."""

    def __init__(self, index: Index, max_interfaces: int = MAX_INTERFACES) -> None:
        self._index = index
        self._own = OwnAddresses(max_interfaces)
        # By interface, VPC and log stream, until something new is learned.
        self._found: BoundedCache[_Key, KnownInterface | None] = BoundedCache(self._find, max_interfaces)

    def use(self, index: Index) -> None:
        """Use a newer inventory; what was learned stays."""
        self._index = index
        self._found.clear()

    def learn(self, interface_id: str, source: bytes | None, destination: bytes | None) -> bool:
        """Learn from the addresses of a record; tell whether they say anything new."""
        is_new = self._own.learn(interface_id, source, destination)
        if is_new:
            self._found.clear()
        return is_new

    def is_undecided(self, interface_id: str) -> bool:
        """Tell whether further records may yet show an address of the interface."""
        return bool(self._own.undecided(interface_id))

    def find(self, interface_id: str, vpc_id: str, log_stream: LogStream) -> KnownInterface | None:
        """Return an interface by what was learned, None if its subnet is not certain."""
        return self._found[interface_id, vpc_id, log_stream]

    def find_in_subnet(self, interface_id: str, subnet_id: str, vpc_id: str, ends: Iterable[bytes]) -> KnownInterface:
        """Return an interface whose subnet the record names; `ends` are the addresses of the record."""
        own = self._own.decided(interface_id)
        subnet = self._index.subnets.get(subnet_id)
        if subnet is not None and own.isdisjoint(ends):
            # If this holds both ends, the direction is as unknown as without any.
            own = frozenset(end for end in ends if self._index.find_subnet(end, vpc_id) is subnet)
        return KnownInterface(subnet_id, vpc_id, own)

    def _find(self, key: _Key) -> KnownInterface | None:
        interface_id, vpc_id, log_stream = key
        subnet = self._find_subnet(interface_id, vpc_id, log_stream)
        if subnet is None:
            return None
        own = self._own.decided(interface_id)
        for pair in self._own.undecided(interface_id):
            inside = [end for end in pair if self._index.find_in_vpc(end, subnet.vpc_id) == subnet]
            own = own.union(inside) if len(inside) == 1 else own
        return KnownInterface(subnet.subnet_id, subnet.vpc_id, own)

    def _find_subnet(self, interface_id: str, vpc_id: str, log_stream: LogStream) -> Subnet | None:
        for address in self._own.decided(interface_id):
            possible = self._possible_subnets(address, vpc_id, log_stream)
            if len(possible) == 1:
                return possible[0]
        if vpc_id == NO_VALUE and not self._index.knows_scope_of(log_stream):
            return None
        # If only one end of a record can be in the VPC, or in what the log group records, it is the interface's.
        for pair in self._own.undecided(interface_id):
            by_end = [found for end in pair if (found := self._possible_subnets(end, vpc_id, log_stream))]
            if len(by_end) == 1 and len(by_end[0]) == 1:
                return by_end[0][0]
        return None

    def _possible_subnets(self, address: bytes, vpc_id: str, log_stream: LogStream) -> list[Subnet]:
        return self._index.possible_subnets(address, vpc_id, log_stream)
