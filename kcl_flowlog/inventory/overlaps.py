"""Flow logs that record the same traffic.

A flow log covers a VPC, a subnet or an interface, so a subnet's flow log
records what its VPC's flow log records as well. If both reach the stream, that
traffic counts twice, and the lines don't show it. The inventory does. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcl_flowlog.counting.subnets import FlowLog, Inventory
from kcl_flowlog.counting.transit_gateway import is_resource


class Overlap(NamedTuple):
    """The ids of two flow logs with traffic in common.

    `wider` covers the resource of `narrower`. With the same log group the traffic surely counts twice.
    """

    wider: str
    narrower: str
    same_log_group: bool


def find(inventory: Inventory) -> list[Overlap]:
    """Return all pairs of overlapping flow logs, sorted. Deleted flow logs overlap with nothing."""
    by_resource = _by_resource(inventory)
    parents = {subnet.subnet_id: subnet.vpc_id for subnet in inventory.subnets}
    parents |= {interface.interface_id: interface.subnet_id for interface in inventory.interfaces}
    pairs = (
        (flow_log, other)
        for flow_logs in by_resource.values()
        for flow_log in flow_logs
        for resource_id in _enclosing(flow_log.resource_id, parents)
        for other in by_resource.get(resource_id, ())
    )
    return sorted(
        Overlap(other.flow_log_id, flow_log.flow_log_id, other.log_group == flow_log.log_group)
        for flow_log, other in pairs
        if _is_counted_once(flow_log, other) and _share_traffic(flow_log, other)
    )


def _by_resource(inventory: Inventory) -> dict[str, list[FlowLog]]:
    taken_at = {source.key: source.taken_at for source in inventory.sources}
    by_resource: dict[str, list[FlowLog]] = {}
    for flow_log in inventory.flow_logs:
        exists = flow_log.seen_at >= taken_at.get(flow_log.source, 0.0)
        if exists and not is_resource(flow_log.resource_id):
            by_resource.setdefault(flow_log.resource_id, []).append(flow_log)
    return by_resource


def _enclosing(resource_id: str, parents: dict[str, str]) -> Iterator[str]:
    """Yield a resource and what encloses it: interface, subnet, VPC."""
    current: str | None = resource_id
    while current is not None:
        yield current
        current = parents.get(current)


def _is_counted_once(flow_log: FlowLog, other: FlowLog) -> bool:
    """Of two flow logs of the same resource, take only one order."""
    return other.resource_id != flow_log.resource_id or other.flow_log_id < flow_log.flow_log_id


def _share_traffic(flow_log: FlowLog, other: FlowLog) -> bool:
    return "ALL" in (flow_log.traffic_type, other.traffic_type) or flow_log.traffic_type == other.traffic_type
