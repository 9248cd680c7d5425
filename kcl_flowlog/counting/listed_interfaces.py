"""The interfaces of a packed inventory, found by id.

Those that were looked up lately are kept, also that an id is missing. Behaves as a dictionary for lookups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.prefixes import Prefixes
from kcl_flowlog.counting.sorted_texts import NOT_FOUND, SortedTexts

COLUMNS: Final = ("subnet", "vpc", "type", "ipv4_end", "ipv6_end", "delegated_end")
"""Numbers of each interface: of its ids and its type, and where the bytes of what it has end."""
DELEGATED = Struct("=BB16s")
"""A delegated prefix: the bytes of its addresses, its host bits, and its network."""
_MAX_TEXTS = 8192
_MAX_KEPT = 2048
"""With ten addresses each, three megabytes."""


class ListedInterfaces:
    """Finds interfaces. `read` does as `get`, and keeps nothing."""

    def __init__(self, table: InterfaceTable) -> None:
        self.read: Callable[[str], KnownInterface | None] = table.read
        # Asked for every record: no function of Python in between.
        self.by_id: BoundedCache[str, KnownInterface | None] = BoundedCache(table.read, _MAX_KEPT)
        self.get: Callable[[str], KnownInterface | None] = self.by_id.__getitem__

    def __contains__(self, interface_id: str) -> bool:
        return self.get(interface_id) is not None

    def __getitem__(self, interface_id: str) -> KnownInterface:
        interface = self.get(interface_id)
        if interface is None:
            raise KeyError(interface_id)
        return interface


class InterfaceTable:
    """Reads interfaces from the sections of a packed inventory."""

    def __init__(
        self, sections: Mapping[str, memoryview], subnet_ids: SortedTexts, vpc_ids: SortedTexts, types: Sequence[str]
    ) -> None:
        self._ids = SortedTexts(sections["interface_ids"], sections["interface_id_ends"])
        self._columns = sections["interface_columns"].cast("I")
        self._count = len(self._columns) // len(COLUMNS)
        self._ipv4, self._ipv6 = sections["addresses_ipv4"], sections["addresses_ipv6"]
        self._delegated = sections["delegated"]
        # Interfaces share the texts of their ids.
        self._subnet_id: Callable[[int], str] = BoundedCache(subnet_ids.text, _MAX_TEXTS).__getitem__
        self._vpc_id: Callable[[int], str] = BoundedCache(vpc_ids.text, _MAX_TEXTS).__getitem__
        self._types = types

    def read(self, interface_id: str) -> KnownInterface | None:
        """Return an interface, or None if the inventory lacks it."""
        place = self._ids.find(interface_id)
        if place == NOT_FOUND:
            return None
        subnet, vpc, kind, *ends = self._row(place)
        starts = self._row(place - 1)[3:] if place else (0, 0, 0)
        ipv4, ipv6, delegated = (slice(*bounds) for bounds in zip(starts, ends, strict=True))
        return KnownInterface(
            self._subnet_id(subnet),
            self._vpc_id(vpc),
            (*_pieces(self._ipv4[ipv4], 4), *_pieces(self._ipv6[ipv6], 16)),
            _prefixes(self._delegated[delegated]),
            self._types[kind],
        )

    def _row(self, place: int) -> list[int]:
        return self._columns[place :: self._count].tolist()


def _pieces(octets: memoryview, size: int) -> list[bytes]:
    whole = bytes(octets)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _prefixes(delegated: memoryview) -> Prefixes[bool] | None:
    if not delegated:
        return None
    prefixes: Prefixes[bool] = Prefixes()
    for size, host_bits, network in DELEGATED.iter_unpack(delegated):
        prefixes.add_packed(network[:size], host_bits, True)
    return prefixes
