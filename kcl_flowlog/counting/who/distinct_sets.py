"""The distinct names of many groups as columns: a set is made only for who asks for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

import numpy as np

from kcl_flowlog.counting.who.distinct import MOST_HASHES, NO_HASHES, Distinct, Hashes, Registers
from kcl_flowlog.counting.who.names import Integers


class DistinctSets(Mapping[int, Distinct]):
    """Sets by group: how many `hashes` each of `groups` has, the registers of the others, and which are partial."""

    def __init__(
        self,
        groups: Integers,
        counts: Integers,
        hashes: Hashes,
        dense: Mapping[int, Registers],
        partial: Collection[int],
    ) -> None:
        self.groups, self.counts, self.hashes = groups, counts, hashes
        self.dense, self.partial = dense, partial

    @cached_property
    def _bounds(self) -> dict[int, tuple[int, int]]:
        ends = np.cumsum(self.counts)
        bounds = zip((ends - self.counts).tolist(), ends.tolist(), strict=True)
        return dict(zip(self.groups.tolist(), bounds, strict=True))

    def __getitem__(self, group: int) -> Distinct:
        is_partial = group in self.partial
        if group in self.dense:
            return Distinct(NO_HASHES, self.dense[group], is_partial)
        start, end = self._bounds[group]
        return Distinct(self.hashes[start:end], None, is_partial)

    def __iter__(self) -> Iterator[int]:
        return iter({**self._bounds, **self.dense})

    def __len__(self) -> int:
        return len({**self._bounds, **self.dense})


def as_columns(sets: Mapping[int, Distinct]) -> DistinctSets:
    """Return sets as columns."""
    if isinstance(sets, DistinctSets):
        return sets
    few = {group: each.hashes for group, each in sorted(sets.items()) if each.registers is None}
    return DistinctSets(
        np.array([*few], np.int64),
        np.array([*map(len, few.values())], np.int64),
        np.concatenate([NO_HASHES, *few.values()]),
        {group: each.registers for group, each in sets.items() if each.registers is not None},
        {group for group, each in sets.items() if each.is_partial},
    )


def from_columns(
    groups: Integers, counts: Integers, hashes: Hashes, dense: Mapping[int, Registers], partial: Collection[int]
) -> DistinctSets:
    """Return the sets that were stored as these columns. Raises `ValueError`."""
    if len(groups) != len(counts) or int(counts.sum()) != len(hashes) or int(counts.max(initial=0)) > MOST_HASHES:
        raise ValueError("not a sketch: the hashes of its distinct names have another number")
    # Sorted together with their groups, none is there twice.
    numbers = np.repeat(groups.astype(np.uint64) << np.uint64(32), counts) | hashes
    if not (groups[1:] > groups[:-1]).all() or not (numbers[1:] > numbers[:-1]).all():
        raise ValueError("not a sketch: the hashes of its distinct names are not sorted")
    return DistinctSets(groups, counts, hashes, dense, partial)
