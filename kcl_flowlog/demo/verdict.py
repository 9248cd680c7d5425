"""Generated against counted: the final table, and whether they are equal to the last digit.

Pure: it turns two `Truth`s into rows and sentences. Every series is compared,
also where the sums of a subnet would agree.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from kcl_flowlog.demo.truth import Sums, Truth
from kcl_flowlog.demo.world import World

HEADER = ("subnet", "zone", "figures", "flows", "packets", "bytes", "")
LEFT = frozenset(("subnet", "zone", "figures", ""))


class Row(NamedTuple):
    """One subnet in the final table: what was generated, and below it what was counted."""

    name: str
    zone: str
    generated: Sums
    counted: Sums
    equal: bool

    def lines(self) -> list[list[str]]:
        """Return its two lines of cells under `HEADER`; figures stand below each other, digit by digit."""
        return [
            [self.name, self.zone, "generated", *(f"{figure:,}" for figure in self.generated), ""],
            ["", "", "counted", *(f"{figure:,}" for figure in self.counted), "equal" if self.equal else "DIFFERENT"],
        ]


def rows(world: World, generated: Truth, counted: Truth) -> list[Row]:
    """Return a row for every subnet of the world, for any other that was counted, and for all together."""
    known = {subnet.id: (subnet.name, subnet.zone_id) for subnet in world.subnets}
    others = {subnet_id: (subnet_id, "?") for subnet_id in sorted(counted.subnet_ids() - set(known))}
    of_subnets = [
        Row(
            name,
            zone,
            generated.of_subnet(subnet_id),
            counted.of_subnet(subnet_id),
            _series(generated, subnet_id) == _series(counted, subnet_id),
        )
        for subnet_id, (name, zone) in {**known, **others}.items()
    ]
    everything = Row(
        "total",
        "",
        generated.sum_where(lambda key: True),
        counted.sum_where(lambda key: True),
        generated.traffic == counted.traffic,
    )
    return [*of_subnets, everything]


def _series(truth: Truth, subnet_id: str) -> dict[tuple[str, ...], Sums]:
    return {key: sums for key, sums in truth.traffic.items() if key.subnet_id == subnet_id}


def sentence(world: World, generated: Truth, counted: Truth) -> str:
    """Return the verdict in words: equal, or what differs."""
    different = [row.name for row in rows(world, generated, counted)[:-1] if not row.equal]
    parts = [f"subnets {', '.join(different)}"] if different else []
    parts += _differing_counts("log events", generated.events, counted.events)
    parts += _differing_counts("payloads", generated.payloads, counted.payloads)
    if parts:
        return f"Generated and counted DIFFER: {'; '.join(parts)}."
    return f"Generated and counted are equal to the last digit; log events: {_listed(counted.events)}."


def _differing_counts(what: str, generated: Counter[str], counted: Counter[str]) -> list[str]:
    return [
        f"{what} {outcome}: {counted[outcome]:,} instead of {generated[outcome]:,}"
        for outcome in sorted({*generated, *counted})
        if generated[outcome] != counted[outcome]
    ]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counts.items()))
