"""Interfaces that the inventory does not list: found by what their records tell.

An interface may be deleted, too new, in an account that is not read, or EC2
may not permit listing it. It lies in one subnet with all of its addresses, so
each record has an end in that subnet. The subnet is certain if no other subnet
fits the records, neither a subnet of the inventory nor a subnet that the
inventory lacks. Holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.own_addresses import MAX_INTERFACES, Addresses, Evidence, OwnAddresses
from kcl_flowlog.counting.peers import is_private
from kcl_flowlog.counting.prefixes import Prefixes
from kcl_flowlog.counting.subnets import Subnet

_Key = tuple[str, str, LogStream]

# A subnet has at most one IPv6 block, /44 or longer.
_SHORTEST_IPV6_BITS = 44
_MAX_SUBNETS = 4096


class UnlistedInterfaces:
    """Learns from records, and finds the subnet of an interface; addresses are packed."""

    def __init__(self, index: Index, max_interfaces: int = MAX_INTERFACES) -> None:
        self._index = index
        self._own = OwnAddresses(max_interfaces)
        # By interface, VPC and log stream, until something new is learned.
        self._found: BoundedCache[_Key, KnownInterface | None] = BoundedCache(self._find, max_interfaces)
        self._ipv6_of: BoundedCache[str, Prefixes[bool]] = BoundedCache(self._ipv6_blocks, _MAX_SUBNETS)

    def use(self, index: Index) -> None:
        """Use a newer inventory; what was learned stays."""
        self._index = index
        self._found.clear()
        self._ipv6_of.clear()

    def learn(self, interface_id: str, source: bytes | None, destination: bytes | None, direction: str) -> bool:
        """Learn from the addresses and the direction of a record; tell whether they say anything new."""
        is_new = self._own.learn(interface_id, source, destination, direction)
        if is_new:
            self._found.clear()
        return is_new

    def is_undecided(self, interface_id: str) -> bool:
        """Tell whether further records may yet show an address of the interface."""
        evidence = self._own.find(interface_id)
        return evidence is not None and evidence.is_open

    def find(self, interface_id: str, vpc_id: str, log_stream: LogStream, ends: Addresses) -> KnownInterface | None:
        """Return an interface by what was learned, None if its subnet is not certain.

        `ends` are the addresses of a record of it.
        """
        known = self._found[interface_id, vpc_id, log_stream]
        if known is not None and known.addresses.isdisjoint(ends):
            in_subnet = self._ipv6_of[known.subnet_id]
            self._note(interface_id, known, [end for end in ends if in_subnet.find(end)])
        return known

    def find_in_subnet(self, interface_id: str, subnet_id: str, vpc_id: str, ends: Addresses) -> KnownInterface:
        """Return an interface whose subnet the record names; `ends` are the addresses of the record."""
        evidence = self._own.find(interface_id)
        known = KnownInterface(subnet_id, vpc_id, () if evidence is None else evidence.own)
        subnet = self._index.subnets.get(subnet_id)
        if subnet is not None and known.addresses.isdisjoint(ends):
            # If this holds both ends, the direction is as unknown as without any.
            self._note(interface_id, known, [end for end in ends if self._index.find_subnet(end, vpc_id) == subnet])
        return known

    def _note(self, interface_id: str, known: KnownInterface, inside: list[bytes]) -> None:
        """Note the only end in the subnet of the interface: it is the interface's."""
        if len(inside) == 1:
            known.addresses |= {*inside}
            if len(inside[0]) == 16:
                self._own.add_own(interface_id, inside[0])

    def _find(self, key: _Key) -> KnownInterface | None:
        interface_id, vpc_id, log_stream = key
        evidence = self._own.find(interface_id)
        if evidence is None or evidence.is_contradictory:
            return None
        subnet = self._find_subnet(evidence, vpc_id, log_stream)
        if subnet is None:
            return None
        inside = self._inside(evidence.ipv4, subnet)
        return KnownInterface(subnet.subnet_id, subnet.vpc_id, evidence.own.union(inside if len(inside) == 1 else ()))

    def _find_subnet(self, evidence: Evidence, vpc_id: str, log_stream: LogStream) -> Subnet | None:
        possible: dict[str, Subnet] | None = None
        for claim in evidence.claims():
            found = {
                subnet.subnet_id: subnet
                for end in claim
                for subnet in self._index.possible_subnets(end, vpc_id, log_stream)
                if possible is None or subnet.subnet_id in possible
            }
            possible = found
            # IPv4 alone is enough. An interface that forwards IPv6 writes addresses that are not its own.
            if claim is evidence.ipv4 and len(claim) == len(found) == 1:
                break
        if not possible or len(possible) > 1:
            return None
        (subnet,) = possible.values()
        if evidence.own:
            return subnet
        knows_scope = vpc_id != NO_VALUE or self._index.knows_scope_of(log_stream)
        return subnet if knows_scope and self._excludes_unknown_subnets(evidence, subnet) else None

    def _excludes_unknown_subnets(self, evidence: Evidence, subnet: Subnet) -> bool:
        """Tell whether the interface must be in `subnet`, even if the inventory lacks a subnet.

        In a subnet that it lacks, all ends outside `subnet` would be the interface's.
        """
        if evidence.ipv4:
            outside = evidence.ipv4.difference(self._inside(evidence.ipv4, subnet))
            if not outside or not is_private(*outside):
                return True
        networks: set[int] = set()
        for pair in evidence.pairs():
            outside = pair.difference(self._inside(pair, subnet))
            if not outside:
                return True
            networks.update(int.from_bytes(end, "big") >> 128 - _SHORTEST_IPV6_BITS for end in outside)
        return len(networks) > 1

    def _inside(self, ends: Iterable[bytes], subnet: Subnet) -> list[bytes]:
        return [end for end in ends if self._index.find_in_vpc(end, subnet.vpc_id) == subnet]

    def _ipv6_blocks(self, subnet_id: str) -> Prefixes[bool]:
        return Prefixes([(cidr, True) for cidr in self._index.subnets[subnet_id].ipv6_cidrs])
