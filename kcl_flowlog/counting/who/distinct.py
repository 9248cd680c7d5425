"""How many distinct names there are, by HyperLogLog: 16,384 registers, 0.8 % standard error; few names are exact.

Few names are kept as their hashes of 32 bits, many as registers. The union of two sets is the same whatever the order.
Estimates by Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]
Registers = NDArray[np.uint8]

_BITS = 14
REGISTERS = 1 << _BITS
_RANK_BITS = 32 - _BITS
MOST_HASHES = 1024
"""Above, registers take less room."""
NO_HASHES: Hashes = np.zeros(0, np.uint32)


class Distinct(NamedTuple):
    """A set of names: their hashes, sorted, or registers. If `is_partial`, there are more, as the room was used up."""

    hashes: Hashes = NO_HASHES
    registers: Registers | None = None
    is_partial: bool = False

    def number(self) -> int:
        """Return about how many names there are."""
        return len(self.hashes) if self.registers is None else round(_estimate(self.registers))


def of_hashes(hashes: Hashes) -> Distinct:
    """Return the set of names with these hashes, which are sorted and unique."""
    return Distinct(hashes) if len(hashes) <= MOST_HASHES else Distinct(registers=registers_of(hashes))


def from_registers(registers: Registers) -> Registers:
    """Return registers that were stored. Raises `ValueError`."""
    if len(registers) != REGISTERS or registers.max() > _RANK_BITS + 1:
        raise ValueError("not a sketch: the registers of its distinct names are impossible")
    return registers


def union(sets: Iterable[Distinct]) -> Distinct:
    """Return the union of sets."""
    sets = list(sets)
    is_partial = any(each.is_partial for each in sets)
    hashes = np.unique(np.concatenate([NO_HASHES, *(each.hashes for each in sets)]))
    dense = [each.registers for each in sets if each.registers is not None]
    if not dense:
        return of_hashes(hashes)._replace(is_partial=is_partial)
    return Distinct(NO_HASHES, np.maximum.reduce([*dense, registers_of(hashes)]), is_partial)


def registers_of(hashes: Hashes) -> Registers:
    """Return the registers of names with these hashes."""
    registers = np.zeros(REGISTERS, np.uint8)
    if len(hashes):
        rest = hashes & np.uint32((1 << _RANK_BITS) - 1)
        # The exponent is the number of bits.
        ranks = (_RANK_BITS + 1 - np.frexp(rest.astype(np.float64))[1]).astype(np.uint8)
        np.maximum.at(registers, hashes >> np.uint32(_RANK_BITS), ranks)
    return registers


def _estimate(registers: Registers) -> float:
    counts = np.bincount(registers, minlength=_RANK_BITS + 2).tolist()
    size = float(REGISTERS)
    found = size * _tau(1.0 - counts[_RANK_BITS + 1] / size)
    for rank in range(_RANK_BITS, 0, -1):
        found = 0.5 * (found + counts[rank])
    found += size * _sigma(counts[0] / size)
    return size * size / (2.0 * math.log(2.0) * found)


def _sigma(share: float) -> float:
    """Return what the empty registers add."""
    if share == 1.0:
        return math.inf
    power, found, before = 1.0, share, -1.0
    while found != before:
        share *= share
        before = found
        found += share * power
        power += power
    return found


def _tau(share: float) -> float:
    """Return what the full registers add."""
    if share in (0.0, 1.0):
        return 0.0
    power, found, before = 1.0, 1.0 - share, -1.0
    while found != before:
        share = math.sqrt(share)
        before = found
        power *= 0.5
        found -= (1.0 - share) ** 2 * power
    return found / 3.0
