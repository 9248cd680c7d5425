"""The subnets of a packed inventory, found by id or row, and the ids that only interfaces name.

Those that were looked up lately are kept. Behaves as a dictionary for lookups.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.sorted_texts import NOT_FOUND, Slices, SortedTexts
from kcl_flowlog.counting.subnets import Subnet

NONE: Final = -1
"""The number of an id that only interfaces name."""
UNKNOWN: Final = -2
"""The number of an id that nothing names."""
_MAX_KEPT = 4096
"""Three megabytes."""
_MAX_IDS = 8192


class NumberedIds:
    """Ids and a number of each."""

    def __init__(self, kind: str, sections: Mapping[str, memoryview]) -> None:
        self.texts = SortedTexts(sections[f"{kind}_ids"], sections[f"{kind}_id_ends"])
        self._numbers = sections[f"{kind}_numbers"].cast("q")

    def find(self, text: str) -> int:
        """Return the number of an id, `NONE` or `UNKNOWN`."""
        place = self.texts.find(text)
        return UNKNOWN if place == NOT_FOUND else self._numbers[place]


class ListedSubnets:
    """Finds subnets. A subnet's row is its place in the inventory, if no two have the same id."""

    def __init__(self, ids: NumberedIds, sections: Mapping[str, memoryview]) -> None:
        entries = Slices(sections["subnets"], sections["subnet_ends"])
        self._rows: BoundedCache[str, int] = BoundedCache(ids.find, _MAX_IDS)
        self._subnets: BoundedCache[int, Subnet] = BoundedCache(partial(_decode, entries), _MAX_KEPT)

    def row(self, subnet_id: str) -> int:
        """Return the row of a subnet, `NONE` if only interfaces name it, `UNKNOWN` if nothing does."""
        return self._rows[subnet_id]

    def at(self, row: int) -> Subnet:
        """Return the subnet of a row."""
        return self._subnets[row]

    def get(self, subnet_id: str) -> Subnet | None:
        """Return a subnet, or None if the inventory lacks it."""
        row = self._rows[subnet_id]
        return self._subnets[row] if row >= 0 else None

    def __getitem__(self, subnet_id: str) -> Subnet:
        subnet = self.get(subnet_id)
        if subnet is None:
            raise KeyError(subnet_id)
        return subnet


def _decode(entries: Slices, row: int) -> Subnet:
    return msgspec.json.decode(entries[row], type=Subnet)
