"""Compare what was generated with what was counted, to the last digit.

Pure: turns two tallies into rows and a sentence. It compares every series, and
so finds a difference even if the sums of a subnet agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kcl_flowlog.demo.columns import Column, table_lines
from kcl_flowlog.demo.tally import Sums, Tally
from kcl_flowlog.demo.world import World

_COLUMNS = (
    Column("subnet", is_left_aligned=True),
    Column("zone", rank=2, is_left_aligned=True),
    Column("", is_left_aligned=True),
    Column("flows"),
    Column("packets", rank=1),
    Column("bytes"),
)


class ComparedSubnet(NamedTuple):
    """The figures of a subnet, or of all subnets in the row `total`."""

    name: str
    zone: str
    generated: Sums
    counted: Sums
    is_equal: bool

    @property
    def rows(self) -> list[list[str]]:
        """Two rows of cells: what was generated, and below it, digit under digit, what was counted."""
        return [
            [self.name, self.zone, "generated", *(f"{figure:,}" for figure in self.generated)],
            [
                f"  {'equal' if self.is_equal else 'DIFFERENT'}",
                "",
                "counted",
                *(f"{figure:,}" for figure in self.counted),
            ],
        ]


def compare(world: World, generated: Tally, counted: Tally) -> list[ComparedSubnet]:
    """Return each subnet of the world, then other subnets that have counts, then the total."""
    names = {subnet.id: (subnet.name, subnet.zone_id) for subnet in world.subnets}
    unknown = {subnet_id: (subnet_id, "?") for subnet_id in sorted(counted.subnet_ids() - set(names))}
    subnets = [
        ComparedSubnet(
            name,
            zone,
            generated.sum_of_subnet(subnet_id),
            counted.sum_of_subnet(subnet_id),
            generated.series_of_subnet(subnet_id) == counted.series_of_subnet(subnet_id),
        )
        for subnet_id, (name, zone) in {**names, **unknown}.items()
    ]
    is_equal = generated.traffic == counted.traffic
    return [*subnets, ComparedSubnet("total", "", generated.sum_of_all(), counted.sum_of_all(), is_equal)]


def comparison_lines(subnets: Sequence[ComparedSubnet], width: int | None = None) -> list[str]:
    """Return the comparison as a table: a line of titles, then two lines per subnet."""
    return table_lines(_COLUMNS, [row for subnet in subnets for row in subnet.rows], width)


def summary(world: World, generated: Tally, counted: Tally) -> str:
    """Return a sentence: equal, or what differs."""
    different = [subnet.name for subnet in compare(world, generated, counted)[:-1] if not subnet.is_equal]
    parts = [f"subnets {', '.join(different)}"] if different else []
    parts += _differences("log events", generated.events, counted.events)
    parts += _differences("payloads", generated.payloads, counted.payloads)
    if parts:
        return f"Generated and counted DIFFER: {'; '.join(parts)}."
    events = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counted.events.items()))
    return f"Generated and counted are equal to the last digit; log events: {events}."


def _differences(what: str, generated: Counter[str], counted: Counter[str]) -> list[str]:
    return [
        f"{what} {outcome}: {counted[outcome]:,} instead of {generated[outcome]:,}"
        for outcome in sorted({*generated, *counted})
        if generated[outcome] != counted[outcome]
    ]
