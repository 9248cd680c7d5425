"""Networks as sorted intervals: which subnet of a VPC has an address, and which subnet of all VPCs.

The first layer is that of all VPCs together, then come those of the VPCs; see `intervals`. The IPv4 layers are numbers,
so that many addresses can be looked up at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

K = TypeVar("K", int, bytes)
K_co = TypeVar("K_co", int, bytes, covariant=True)


class _Points(Protocol[K_co]):
    def __len__(self) -> int: ...
    def __getitem__(self, place: int, /) -> K_co: ...


class AddressLayers(Generic[K]):
    """The layers of a family: IPv4 addresses are numbers, IPv6 addresses are bytes."""

    def __init__(self, points: _Points[K], rows: memoryview, ends: memoryview) -> None:
        self._points: _Points[K] = points
        self._rows = rows.cast("q")
        self._bounds = list(pairwise([0, *ends.cast("I")]))

    @property
    def count(self) -> int:
        """The number of layers."""
        return len(self._bounds)

    def bounds(self, layer: int) -> tuple[int, int]:
        """Return the places of a layer in its sections: the first, and the place after the last."""
        return self._bounds[layer]

    def find(self, vpc: int, address: K) -> int:
        """Return the row of an address in a VPC, given by number, or `NOTHING`."""
        return self._find(vpc + 1, address)

    def find_in_any(self, address: K) -> int:
        """Return the row of an address in any VPC, `SHARED` if several use it, `NOTHING` if none."""
        return self._find(0, address)

    def _find(self, layer: int, address: K) -> int:
        start, end = self._bounds[layer]
        # The first point of each layer is the first address of all.
        place = bisect_right(self._points, address, start, end) - 1
        return self._rows[place]


class _Keys:
    """Addresses of 16 bytes, one behind the other."""

    def __init__(self, octets: memoryview) -> None:
        self._octets = octets

    def __len__(self) -> int:
        return len(self._octets) // 16

    def __getitem__(self, place: int) -> bytes:
        return bytes(self._octets[16 * place : 16 * place + 16])


def ipv4_layers(sections: Mapping[str, memoryview]) -> AddressLayers[int]:
    """Return the layers of IPv4."""
    points = sections["points_ipv4"].cast("q")
    return AddressLayers(points, sections["rows_ipv4"], sections["layer_ends_ipv4"])


def ipv6_layers(sections: Mapping[str, memoryview]) -> AddressLayers[bytes]:
    """Return the layers of IPv6."""
    return AddressLayers(_Keys(sections["points_ipv6"]), sections["rows_ipv6"], sections["layer_ends_ipv6"])
