"""What sketches tell: the heaviest names of a subnet, each with its bounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.who.heaviest import Summary
from kcl_flowlog.counting.who.names import joined


class Heavy(NamedTuple):
    """A name, and what it has at least and at most: flows, or bytes."""

    name: str
    at_least: int
    at_most: int


def heaviest(summary: Summary, group: int, most: int) -> list[Heavy]:
    """Return the heaviest names of a group, by what each has at least; they are the heaviest if no sum was cut."""
    rows = summary.rows
    places = np.flatnonzero(rows.groups == group)
    order = np.lexsort((rows.names[places], -rows.missed[places], -rows.seen[places]))
    found = rows.take(places[order[:most]])
    return [
        Heavy(name, int(seen), int(seen + missed))
        for name, seen, missed in zip(
            joined(found.names).split("\n"), found.seen.tolist(), found.missed.tolist(), strict=False
        )
    ]
