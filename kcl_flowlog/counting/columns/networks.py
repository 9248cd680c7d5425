"""The inventory's networks as sorted numbers: the subnet, or the kind, of many addresses at once.

An address has a code: the number of its subnet, or behind all subnets a kind that does not depend on the inventory.
Answers as `inventory_index.Index.find_subnet` and `peers.special_class` do.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

import numpy as np

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.peers import PEERS, SPECIAL_BLOCKS, special_class
from kcl_flowlog.counting.prefixes import Prefixes, pack

UNREADABLE = -1
"""The code of a text that is not an IPv6 address, or not in its canonical form."""
SHARED = -2
"""The code of an IPv4 address that several VPCs use."""
_NOTHING = -1
_MAX_TEXTS = 16_384

_Network = tuple[int, int, int]
"""First address, the address after the last, and a value."""


class Networks:
    """The codes of addresses, by an inventory."""

    def __init__(self, index: Index, numbers: Mapping[str, int]) -> None:
        """`numbers` are those of the subnets, by id, from 0 on."""
        self._index = index
        self._numbers = numbers
        self.kinds = {kind: len(numbers) + place for place, kind in enumerate(PEERS)}
        self._vpcs = {vpc_id: number for number, vpc_id in enumerate(index.vpcs)}
        self._points, self._codes, self._fallbacks, self._own = self._merge()
        self._ipv6: BoundedCache[tuple[str, str], int] = BoundedCache(self._find_ipv6, _MAX_TEXTS)

    @property
    def is_certain(self) -> bool:
        """False if two subnets have the same id; then their numbers tell too little."""
        subnets = (subnet for prefixes in self._index.vpcs.values() for subnet in prefixes.values())
        return all(self._index.subnets[subnet.subnet_id] is subnet for subnet in subnets)

    def vpc_number(self, vpc_id: str) -> int:
        """Return the number of a VPC that the inventory has, or -1."""
        return self._vpcs.get(vpc_id, _NOTHING)

    def find_ipv4(self, addresses: Integers) -> Integers:
        """Return the codes of addresses, `SHARED` if they depend on the VPC."""
        return self._codes.take(self._places(addresses))

    def settle(self, addresses: Integers, vpcs: Integers) -> Integers:
        """Return the codes of addresses that several VPCs use, as seen from VPCs, given by number."""
        codes = self._fallbacks.take(self._places(addresses))
        for vpc in np.unique(vpcs).tolist():
            if vpc != _NOTHING:
                rows = np.flatnonzero(vpcs == vpc)
                points, numbers = self._own[vpc]
                found = numbers.take(np.searchsorted(points, addresses[rows], side="right") - 1)
                codes[rows] = np.where(found == _NOTHING, codes[rows], found)
        return codes

    def _places(self, addresses: Integers) -> Integers:
        return np.searchsorted(self._points, addresses, side="right") - 1

    def find_ipv6(self, text: str, vpc_id: str) -> int:
        """Return the code of an IPv6 address as seen from a VPC, `UNREADABLE` if its text is not the canonical one."""
        return self._ipv6[vpc_id, text]

    def _find_ipv6(self, key: tuple[str, str]) -> int:
        vpc_id, text = key
        packed = pack(text)
        if packed is None or len(packed) == 4 or socket.inet_ntop(socket.AF_INET6, packed) != text:
            return UNREADABLE
        subnet = self._index.find_subnet(packed, vpc_id)
        return self.kinds[special_class(packed)] if subnet is None else self._numbers[subnet.subnet_id]

    def _merge(self) -> tuple[Integers, Integers, Integers, list[tuple[Integers, Integers]]]:
        """Return the points at which codes change, the codes from there on, and what else `find_ipv4` needs.

        A code that depends on the VPC is `SHARED`. Then the points and numbers of the VPC count, and if it has no
        such address, the third of what this returns.
        """
        own = [
            _paint([(first, end, self._numbers[subnet.subnet_id]) for first, end, subnet in prefixes.ipv4()], _NOTHING)
            for prefixes in self._index.vpcs.values()
        ]
        special_points, special = _paint(
            [(first, end, self.kinds[kind]) for first, end, kind in Prefixes(SPECIAL_BLOCKS).ipv4()],
            self.kinds["internet"],
        )
        points = np.unique(np.concatenate([special_points, *(places for places, _ in own)]))
        fallbacks = special.take(np.searchsorted(special_points, points, side="right") - 1)
        covered = np.zeros(len(points), np.int64)
        numbers = np.zeros(len(points), np.int64)
        for places, values in own:
            here = values.take(np.searchsorted(places, points, side="right") - 1)
            covered += here != _NOTHING
            numbers += np.where(here == _NOTHING, 0, here)
        codes = np.where(covered == 0, fallbacks, np.where(covered == 1, numbers, SHARED))
        return points, codes, fallbacks, own


def _paint(networks: list[_Network], empty: int) -> tuple[Integers, Integers]:
    """Return the points at which the value changes, and the values; the smallest network with an address counts."""
    points = np.unique(np.array([0, *(end for first, last, _ in networks for end in (first, last))], np.int64))
    values = np.full(len(points), empty, np.int64)
    for first, end, value in sorted(networks, key=lambda network: network[0] - network[1]):
        values[np.searchsorted(points, first) : np.searchsorted(points, end)] = value
    return points, values
