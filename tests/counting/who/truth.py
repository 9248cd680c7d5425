"""Names with a known truth, and what sketches say of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import Heavy, heaviest
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.sketches import Sketches

SUBNET = "subnet-a"
Reject = tuple[str, str, str]
"""Source, destination, port."""


def address(number: int) -> str:
    """Return an IPv4 address."""
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


def rejects(rng: random.Random, number: int, sources: int, share_of_spray: float = 0.2) -> list[Reject]:
    """Return flows, of which some come from as many sources by Zipf's law, and the others from anywhere."""
    weights = [*accumulate(1 / (rank + 1) for rank in range(sources))]
    ranks = rng.choices(range(sources), cum_weights=weights, k=number)
    return [
        (
            address(rng.randrange(1 << 32) if rng.random() < share_of_spray else 0x0A000000 + rank * 7919 % (1 << 24)),
            address(0xC0A80000 + rank % 5),
            str(1 + rank * rank % 3000),
        )
        for rank in ranks
    ]


def sketch_of(flows: Iterable[Reject], step: int = 0, subnet_id: str = SUBNET) -> Sketches:
    """Return the sketch of a commit, as it is stored and read."""
    collector = Collector()
    for source, destination, port in flows:
        collector.add_reject(subnet_id, source, destination, "tcp", port)
    return sketches.decode(sketches.encode(collector.take(step)))


def hour(flows: Sequence[Reject], commits: int) -> Sketches:
    """Return the sketch of an hour of flows: commits added to twelve steps, one after the other, and these together."""
    steps = []
    for step in range(12):
        some = flows[step * len(flows) // 12 : (step + 1) * len(flows) // 12]
        found = Sketches(step, [])
        for number in range(commits):
            found = sketches.combine(step, [found, sketch_of(some[number::commits], step)])
        steps.append(found)
    return sketches.combine(11, steps, kept=False)


def top(found: Sketches, kind: int, most: int = 10) -> list[Heavy]:
    """Return the heaviest names of the only subnet."""
    return heaviest(found.summary, kind, most)


def errors(said: Iterable[Heavy], truth: Counter[str]) -> list[Heavy]:
    """Return the names whose true number is not within what is said."""
    return [each for each in said if not each.about <= truth[each.name] <= each.at_most]
