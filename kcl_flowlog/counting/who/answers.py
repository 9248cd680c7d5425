"""What sketches tell: the heaviest names of a subnet, each with its bounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kcl_flowlog.counting.who.heaviest import Summary
from kcl_flowlog.counting.who.names import joined

_MOST = 2**63 - 1
"""Records may claim any number of bytes; other programs read 64 bits."""


class Heavy(NamedTuple):
    """A name with its flows or bytes: `about` as many were seen, and with those that may have been missed `at_most`."""

    name: str
    about: int
    at_most: int


def heaviest(summary: Summary, group: int, most: int) -> list[Heavy]:
    """Return the heaviest names of a group, by what was seen of each."""
    rows = summary.rows
    places = np.flatnonzero(rows.groups == group)
    order = np.lexsort((rows.names[places], -rows.missed[places], -rows.seen[places]))
    found = rows.take(places[order[:most]])
    return [
        Heavy(name, min(int(seen), _MOST), min(int(seen + missed), _MOST))
        for name, seen, missed in zip(
            joined(found.names).split("\n"), found.seen.tolist(), found.missed.tolist(), strict=False
        )
    ]
