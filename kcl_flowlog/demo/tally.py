"""Figures to compare: what was generated, and what the metrics page shows.

The generator fills a `Tally` while it makes traffic, and never by reading a
line back, so it shares no code and no mistake with the product. A metrics page
is read into a second `Tally`. The two are equal when every figure is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple


class SeriesKey(NamedTuple):
    """The labels of a traffic series."""

    subnet_id: str
    direction: str
    action: str
    protocol: str
    peer: str


class Sums(NamedTuple):
    """An amount of traffic: flows, packets and bytes."""

    flows: int = 0
    packets: int = 0
    bytes: int = 0

    def plus(self, other: Sums) -> Sums:
        """Return the sum of both."""
        return Sums(self.flows + other.flows, self.packets + other.packets, self.bytes + other.bytes)


NOTHING = Sums()


@dataclass
class Tally:
    """Traffic by series, log events by outcome, payloads by kind."""

    traffic: dict[SeriesKey, Sums] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    payloads: Counter[str] = field(default_factory=Counter)

    def add_traffic(self, key: SeriesKey, sums: Sums) -> None:
        """Add traffic to a series; adding `NOTHING` makes no series."""
        if sums != NOTHING:
            self.traffic[key] = self.traffic.get(key, NOTHING).plus(sums)

    def merge(self, other: Tally) -> None:
        """Add every figure of `other`."""
        for key, sums in other.traffic.items():
            self.add_traffic(key, sums)
        self.events.update(other.events)
        self.payloads.update(other.payloads)

    def copy(self) -> Tally:
        """Return a copy that later merges don't change."""
        return add_up([self])

    def sum_where(self, is_wanted: Callable[[SeriesKey], bool]) -> Sums:
        """Return the traffic of all series whose key `is_wanted` accepts."""
        sums = NOTHING
        for key, more in self.traffic.items():
            if is_wanted(key):
                sums = sums.plus(more)
        return sums

    def sum_of_all(self) -> Sums:
        """Return the traffic of all series."""
        return self.sum_where(lambda key: True)

    def sum_of_subnet(self, subnet_id: str) -> Sums:
        """Return the traffic of a subnet."""
        return self.sum_where(lambda key: key.subnet_id == subnet_id)

    def series_of_subnet(self, subnet_id: str) -> dict[SeriesKey, Sums]:
        """Return the series of a subnet."""
        return {key: sums for key, sums in self.traffic.items() if key.subnet_id == subnet_id}

    def subnet_ids(self) -> set[str]:
        """Return the ids of the subnets that have traffic."""
        return {key.subnet_id for key in self.traffic}


def add_up(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of `tallies`."""
    result = Tally()
    for tally in tallies:
        result.merge(tally)
    return result
