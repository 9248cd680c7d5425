"""What was really sent: the figures that the metrics page must show in the end.

A `Truth` is filled by whoever makes traffic, never by reading a line back, so
it shares no code and no mistake with the product. What a metrics page shows
is put into the same form to be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class Key(NamedTuple):
    """The labels of a traffic series."""

    subnet_id: str
    direction: str
    action: str
    protocol: str
    peer: str


class Sums(NamedTuple):
    """How much traffic: flows, packets and bytes."""

    flows: int = 0
    packets: int = 0
    bytes: int = 0

    def plus(self, other: Sums) -> Sums:
        """Return both together."""
        return Sums(self.flows + other.flows, self.packets + other.packets, self.bytes + other.bytes)


NOTHING = Sums()


@dataclass
class Truth:
    """Traffic by labels, log events by outcome, payloads by kind. Two are equal when every figure is."""

    traffic: dict[Key, Sums] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    payloads: Counter[str] = field(default_factory=Counter)

    def add_traffic(self, key: Key, sums: Sums) -> None:
        """Add the traffic of one series; nothing of it leaves no trace."""
        if sums != NOTHING:
            self.traffic[key] = self.traffic.get(key, NOTHING).plus(sums)

    def merge(self, other: Truth) -> None:
        """Add all of `other`."""
        for key, sums in other.traffic.items():
            self.add_traffic(key, sums)
        self.events.update(other.events)
        self.payloads.update(other.payloads)

    def copy(self) -> Truth:
        """Return one that later merges don't change."""
        return total([self])

    def sum_where(self, wanted: Callable[[Key], bool]) -> Sums:
        """Return the traffic of all series that are `wanted`."""
        sums = NOTHING
        for key, more in self.traffic.items():
            if wanted(key):
                sums = sums.plus(more)
        return sums

    def of_subnet(self, subnet_id: str) -> Sums:
        """Return all traffic of one subnet."""
        return self.sum_where(lambda key: key.subnet_id == subnet_id)

    def subnet_ids(self) -> set[str]:
        """Return the subnets that have traffic."""
        return {key.subnet_id for key in self.traffic}


def total(truths: Iterable[Truth]) -> Truth:
    """Return the sum of `truths`."""
    result = Truth()
    for truth in truths:
        result.merge(truth)
    return result
