"""Flow logs that record the same traffic twice.

A flow log covers a VPC, a subnet or an interface, so one of a subnet records
what one of its VPC records as well. Where both reach the stream, that traffic
counts twice, and nothing in the lines tells. So it is found out from the
inventory, for a person to mend. Pure; knows no AWS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcl_flowlog.counting.subnets import FlowLog, Inventory
from kcl_flowlog.counting.transit_gateway import is_resource


class Overlap(NamedTuple):
    """Two flow logs with traffic in common; `same_log_group` says whether it surely counts twice."""

    wider: str
    narrower: str
    same_log_group: bool


def find(inventory: Inventory) -> list[Overlap]:
    """Return all pairs among the flow logs that exist; those that were deleted overlap with nothing."""
    taken_at = {source.key: source.taken_at for source in inventory.sources}
    alive = [one for one in inventory.flow_logs if one.seen_at >= taken_at.get(one.source, 0.0)]
    of_resource: dict[str, list[FlowLog]] = {}
    for one in alive:
        if not is_resource(one.resource_id):
            of_resource.setdefault(one.resource_id, []).append(one)
    parents = {subnet.subnet_id: subnet.vpc_id for subnet in inventory.subnets}
    parents |= {interface.interface_id: interface.subnet_id for interface in inventory.interfaces}
    found = []
    for one in (each for group in of_resource.values() for each in group):
        for resource in _line_of(one.resource_id, parents):
            found += [
                Overlap(other.flow_log_id, one.flow_log_id, other.log_group == one.log_group)
                for other in of_resource.get(resource, ())
                # Of two over the same resource, each pair once.
                if (resource != one.resource_id or other.flow_log_id < one.flow_log_id) and _share_traffic(one, other)
            ]
    return sorted(found)


def _line_of(resource_id: str, parents: dict[str, str]) -> Iterator[str]:
    """Yield a resource and what it lies in: interface, subnet, VPC."""
    current: str | None = resource_id
    while current is not None:
        yield current
        current = parents.get(current)


def _share_traffic(one: FlowLog, other: FlowLog) -> bool:
    return "ALL" in (one.traffic_type, other.traffic_type) or one.traffic_type == other.traffic_type
