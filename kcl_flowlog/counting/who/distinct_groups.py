"""The distinct names of many groups, collected in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcl_flowlog.counting.who.distinct import MOST_HASHES, REGISTERS, Registers, registers_of
from kcl_flowlog.counting.who.distinct_sets import DistinctSets
from kcl_flowlog.counting.who.names import Integers, Words, lengths_of, starts_of

_MOST_PENDING = 131_072
_MOST_HASHES_IN_ALL = 524_288
"""Four megabytes."""
_MOST_DENSE = 384
"""Groups that have registers: six megabytes."""
_LOW = np.uint64(32)
_MASK = np.uint64(2**32 - 1)


class DistinctGroups:
    """Names by their group. Where the room is used up, a set is partial."""

    def __init__(self) -> None:
        # Group and hash as one number, sorted.
        self._hashes: Words = np.zeros(0, np.uint64)
        self._dense: dict[int, Registers] = {}
        self._partial: set[int] = set()
        self._pending: list[Words] = []
        self._pending_count = 0

    @property
    def size(self) -> int:
        """The memory that is taken, in bytes."""
        return 8 * (len(self._hashes) + self._pending_count) + REGISTERS * len(self._dense)

    def add(self, groups: Integers, hashes: Words) -> None:
        """Add names by their hashes of 64 bits; in order, they cost less."""
        self._pending.append((groups.astype(np.uint64) << _LOW) | (hashes >> _LOW))
        self._pending_count += len(groups)
        if self._pending_count >= _MOST_PENDING:
            self._settle()

    def sets(self) -> DistinctSets:
        """Return the set of each group."""
        groups, counts = self._settle()
        return DistinctSets(groups, counts, (self._hashes & _MASK).astype(np.uint32), self._dense, self._partial)

    def _groups(self) -> tuple[Integers, Integers, Integers]:
        """Return the groups that have hashes, where they begin, and how many each has."""
        of_hashes = (self._hashes >> _LOW).astype(np.int64)
        starts = starts_of(of_hashes)
        return of_hashes[starts], starts, lengths_of(starts, len(of_hashes))

    def _settle(self) -> tuple[Integers, Integers]:
        """Sort what was added; turn the hashes of large groups into registers, while there is room.

        Return the groups that have hashes, and how many each has.
        """
        together = np.concatenate([self._hashes, *self._pending])
        self._pending.clear()
        self._pending_count = 0
        # In place: `np.unique` takes several times the memory. Mostly some parts are in order.
        together.sort(kind="stable")
        self._hashes = together[starts_of(together)]
        groups, starts, counts = self._groups()
        most = MOST_HASHES
        if len(self._hashes) > _MOST_HASHES_IN_ALL:
            most = min(most, max(1, _MOST_HASHES_IN_ALL // len(groups)))
        are_large = counts > most
        if self._dense:
            are_large |= np.array([group in self._dense for group in groups.tolist()], np.bool_)
        rows = np.flatnonzero(are_large)
        if not len(rows):
            return groups, counts
        self._move(groups[rows].tolist(), starts[rows].tolist(), counts[rows].tolist(), most)
        groups, _, counts = self._groups()
        return groups, counts

    def _move(self, groups: Sequence[int], starts: Sequence[int], counts: Sequence[int], most: int) -> None:
        """Turn the hashes of these groups into registers; without room, each keeps the first of them."""
        kept = np.ones(len(self._hashes), np.bool_)
        for group, start, count in zip(groups, starts, counts, strict=True):
            if group in self._dense or len(self._dense) < _MOST_DENSE:
                registers = registers_of((self._hashes[start : start + count] & _MASK).astype(np.uint32))
                self._dense[group] = np.maximum(self._dense.get(group, registers), registers)
                kept[start : start + count] = False
            else:
                self._partial.add(group)
                kept[start + most : start + count] = False
        self._hashes = self._hashes[kept]
