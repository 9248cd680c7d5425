"""Networks with values, and the longest of them that holds an address."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def pack(address: str) -> bytes | None:
    """Return the 4 or 16 bytes of an address, or None if the text is not an address.

    Addresses are compared in this form, as IPv6 has many spellings.
    """
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except (OSError, ValueError):
        return None


class Prefixes(Generic[T]):
    """Networks, each with a value, looked up by longest prefix."""

    def __init__(self, networks: Iterable[tuple[str, T]] = ()) -> None:
        # Packed length → host bits → network → value. Few host bits come first: they are the longest prefixes.
        self._by_size: dict[int, dict[int, dict[int, T]]] = {4: {}, 16: {}}
        for cidr, value in networks:
            self.add(cidr, value)

    def add(self, cidr: str, value: T) -> None:
        """Give the addresses of `cidr` a value."""
        network = ipaddress.ip_network(cidr, strict=False)
        self.add_packed(network.network_address.packed, network.max_prefixlen - network.prefixlen, value)

    def add_packed(self, network: bytes, host_bits: int, value: T) -> None:
        """Give the addresses of a network, given by its packed first address and the bits behind it, a value."""
        size = len(network)
        by_shift = self._by_size[size]
        if host_bits not in by_shift:
            by_shift[host_bits] = {}
            self._by_size[size] = dict(sorted(by_shift.items()))
        self._by_size[size][host_bits][int.from_bytes(network, "big") >> host_bits] = value

    def ipv4(self) -> Iterator[tuple[int, int, T]]:
        """Yield the first address of each IPv4 network, the address after its last, and its value."""
        for shift, networks in self._by_size[4].items():
            for number, value in networks.items():
                yield number << shift, (number + 1) << shift, value

    def find(self, packed: bytes) -> T | None:
        """Return the value of the longest network that holds a packed address, or None."""
        number = int.from_bytes(packed, "big")
        for shift, networks in self._by_size[len(packed)].items():
            value = networks.get(number >> shift)
            if value is not None:
                return value
        return None
