"""Networks as intervals of addresses: the places at which the value changes, in order.

Addresses are numbers. A layer begins at address 0, and its values hold until the next place. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

NOTHING = -1
"""The value of addresses in no network."""
SHARED = -2
"""The value of addresses that several layers have."""

Layer = list[tuple[int, int]]
"""Places and values."""


def paint(networks: Mapping[tuple[int, int], int], limit: int) -> Layer:
    """Return a layer of networks: the value of an address is that of the smallest network that holds it.

    A network is its first address and the address after its last, so any two are apart or one is inside the other.
    `limit` is the number of all addresses.
    """
    layer: Layer = [(0, NOTHING)]
    # The networks around the place, the smallest last.
    around: list[tuple[int, int]] = [(limit, NOTHING)]
    for (first, end), value in sorted(networks.items(), key=lambda network: (network[0][0], -network[0][1])):
        _leave(around, first, layer)
        _change(layer, first, value)
        around.append((end, value))
    _leave(around, limit - 1, layer)
    return layer


def overlay(layers: Iterable[Layer]) -> Layer:
    """Return what all layers together say: a value if only one layer has the address, else `SHARED` or `NOTHING`."""
    # By place: how many layers more have a value from there on, and how much more all values are.
    changes: dict[int, tuple[int, int]] = {}
    for layer in layers:
        for (_, before), (place, after) in pairwise([(0, NOTHING), *layer]):
            count, total = changes.get(place, (0, 0))
            count += (after != NOTHING) - (before != NOTHING)
            total += (after if after != NOTHING else 0) - (before if before != NOTHING else 0)
            changes[place] = count, total
    merged: Layer = [(0, NOTHING)]
    count = total = 0
    for place in sorted(changes):
        count += changes[place][0]
        total += changes[place][1]
        _change(merged, place, NOTHING if count == 0 else total if count == 1 else SHARED)
    return merged


def _leave(around: list[tuple[int, int]], place: int, layer: Layer) -> None:
    """Leave the networks that end at a place or before."""
    while around[-1][0] <= place:
        end, _ = around.pop()
        _change(layer, end, around[-1][1])


def _change(layer: Layer, place: int, value: int) -> None:
    """Give the addresses from a place on a value; the place is the last of the layer, or behind it."""
    if layer[-1][0] == place:
        layer.pop()
    if not layer or layer[-1][1] != value:
        layer.append((place, value))
