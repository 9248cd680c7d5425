"""The inventory's networks as sorted numbers: the subnet, or the kind, of many addresses at once.

An address has a code: the row of its subnet, or behind all subnets a kind that does not depend on the inventory.
Answers as `inventory_index.Index.find_subnet` and `peers.special_class` do.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial

import numpy as np

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.columns.text import Integers
from kcl_flowlog.counting.intervals import NOTHING, paint
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.peers import PEERS, SPECIAL_BLOCKS, special_class
from kcl_flowlog.counting.prefixes import Prefixes, pack

UNREADABLE = -1
"""The code of a text that is not an IPv6 address, or not in its canonical form."""
_MAX_TEXTS = 16_384


class Networks:
    """The codes of addresses, by an inventory."""

    def __init__(self, index: Index) -> None:
        tables = index.tables
        self.is_certain = tables.facts.is_certain
        self._layers = tables.ipv4
        # Seen where they are, without a copy.
        self._all_points: Integers = np.frombuffer(tables.sections["points_ipv4"], np.int64)
        self._all_rows: Integers = np.frombuffer(tables.sections["rows_ipv4"], np.int64)
        kinds = {kind: tables.facts.subnet_count + place for place, kind in enumerate(PEERS)}
        self._points, self._codes, self._fallbacks = self._merge(kinds)
        # Not a method, which would be in a cycle with its cache and keep the memory of the index for longer.
        find = partial(_find_ipv6, index, kinds)
        self._ipv6: BoundedCache[tuple[str, str], int] = BoundedCache(find, _MAX_TEXTS)

    def find_ipv4(self, addresses: Integers) -> Integers:
        """Return the codes of addresses, `SHARED` if they depend on the VPC."""
        return self._codes.take(self._places(addresses))

    def settle(self, addresses: Integers, vpcs: Integers) -> Integers:
        """Return the codes of addresses that several VPCs use, as seen from VPCs, given by number."""
        codes = self._fallbacks.take(self._places(addresses))
        for vpc in _different(vpcs).tolist():
            if vpc >= 0:
                rows = np.flatnonzero(vpcs == vpc)
                points, numbers = self._layer(vpc + 1)
                found = numbers.take(np.searchsorted(points, addresses[rows], side="right") - 1)
                codes[rows] = np.where(found == NOTHING, codes[rows], found)
        return codes

    def _places(self, addresses: Integers) -> Integers:
        return np.searchsorted(self._points, addresses, side="right") - 1

    def find_ipv6(self, text: str, vpc_id: str) -> int:
        """Return the code of an IPv6 address as seen from a VPC, `UNREADABLE` if its text is not the canonical one."""
        return self._ipv6[vpc_id, text]

    def _layer(self, layer: int) -> tuple[Integers, Integers]:
        start, end = self._layers.bounds(layer)
        return self._all_points[start:end], self._all_rows[start:end]

    def _merge(self, kinds: Mapping[str, int]) -> tuple[Integers, Integers, Integers]:
        """Return the points at which codes change, the codes from there on, and the codes outside the inventory.

        A code that depends on the VPC is `SHARED`. Then the rows of the VPC count, and if it has no such address, the
        third of what this returns.
        """
        special_points, special = _paint_special(kinds)
        own_points, own = self._layer(0)
        points = _different(np.concatenate([special_points, own_points]))
        fallbacks = special.take(np.searchsorted(special_points, points, side="right") - 1)
        here = own.take(np.searchsorted(own_points, points, side="right") - 1)
        return points, np.where(here == NOTHING, fallbacks, here), fallbacks


def _find_ipv6(index: Index, kinds: Mapping[str, int], key: tuple[str, str]) -> int:
    vpc_id, text = key
    packed = pack(text)
    if packed is None or len(packed) == 4 or socket.inet_ntop(socket.AF_INET6, packed) != text:
        return UNREADABLE
    row = index.find_row(packed, vpc_id)
    return kinds[special_class(packed)] if row == NOTHING else row


def _different(numbers: Integers) -> Integers:
    """Return the different numbers in ascending order. `np.unique` would load a megabyte of numpy's other modules."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def _paint_special(kinds: Mapping[str, int]) -> tuple[Integers, Integers]:
    """Return the kinds of addresses outside the inventory, from which points on."""
    networks = {(first, end): kinds[kind] for first, end, kind in Prefixes(SPECIAL_BLOCKS).ipv4()}
    layer = np.array(paint(networks, 1 << 32), np.int64)
    points, values = layer[:, 0], layer[:, 1]
    return points, np.where(values == NOTHING, kinds["internet"], values)
