"""Which subnets have separate series: a bounded number, the subnets of the inventory first.

Records may name any subnet, and whoever writes to the stream may make ids up. So the subnets that only records name
share an allowance, and never take the place of a subnet of the inventory. Whatever else is counted is counted for
`OTHER_SUBNET`; no flow is lost. Pure; knows neither the ledger nor a metric.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

OTHER_SUBNET = "other"
"""The subnet_id of all subnets without separate series; no subnet has this id."""


class SubnetBounds(NamedTuple):
    """Most subnets with separate series: of the inventory, and besides them of those that only records name."""

    listed: int = 5000
    unlisted: int = 500


DEFAULT_BOUNDS = SubnetBounds()


def admit(
    own: Mapping[str, bool], found: Iterable[str], listed: Container[str], bounds: SubnetBounds
) -> dict[str, bool]:
    """Return the subnets that get separate series now, and those that the inventory lists by now.

    `own` are the subnets that have separate series, and the result is to be merged into it: the value says whether
    the inventory lists the subnet. `found` are the subnets of new counts, and `listed` holds those of them that the
    inventory lists. A subnet keeps its series, whatever the bounds.
    """
    admitted: dict[str, bool] = {}
    number_listed = sum(own.values())
    number_unlisted = len(own) - number_listed
    candidates = []
    for subnet_id in found:
        if subnet_id not in listed:
            candidates.append(subnet_id)
        elif not own.get(subnet_id, False) and (subnet_id in own or number_listed < bounds.listed):
            admitted[subnet_id] = True
            number_listed += 1
            number_unlisted -= subnet_id in own
    # The second bound also holds if subnets that only records named are listed one after the other.
    room = min(bounds.unlisted - number_unlisted, sum(bounds) - number_listed - number_unlisted)
    new = [subnet_id for subnet_id in candidates if subnet_id not in own and subnet_id != OTHER_SUBNET]
    return {**admitted, **dict.fromkeys(new[: max(0, room)], False)}
