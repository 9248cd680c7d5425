"""Flow logs that do not deliver, and subnets that no flow log records. Pure.

A subnet is covered if a flow log to a log group records the subnet, its VPC,
or each of its interfaces, whatever its traffic type. A source that may not
list its flow logs has no answer; nor has a subnet that another account owns,
because only its owner sees the flow logs of its VPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Subnet


class FailingFlowLog(NamedTuple):
    """A flow log that does not deliver; `reason` is a key of `delivery_errors.DELIVERY_ERRORS`."""

    flow_log_id: str
    reason: str


class Coverage(NamedTuple):
    """Flow logs that fail, and the ids of subnets without a flow log; None if no source lists its flow logs."""

    failing: tuple[FailingFlowLog, ...] | None
    uncovered: tuple[str, ...] | None


def find(inventory: Inventory) -> Coverage:
    """Return what is not recorded, as of the last time that each source was read."""
    listed = {source.key: source.account_id for source in inventory.sources if source.flow_logs_listed}
    if not listed:
        return Coverage(None, None)
    taken_at = {source.key: source.taken_at for source in inventory.sources}

    def exists(entry: Subnet | Interface | FlowLog) -> bool:
        return entry.seen_at >= taken_at.get(entry.source, entry.seen_at + 1)

    flow_logs = [flow_log for flow_log in inventory.flow_logs if exists(flow_log)]
    recorded = {flow_log.resource_id for flow_log in flow_logs}
    recorded.update(_recorded_by_interface(filter(exists, inventory.interfaces), recorded))
    return Coverage(
        tuple(
            FailingFlowLog(flow_log.flow_log_id, flow_log.delivery_error)
            for flow_log in flow_logs
            if flow_log.delivery_error
        ),
        tuple(
            subnet.subnet_id
            for subnet in inventory.subnets
            if exists(subnet)
            and _is_owner(listed.get(subnet.source), subnet)
            and recorded.isdisjoint((subnet.subnet_id, subnet.vpc_id))
        ),
    )


def _recorded_by_interface(interfaces: Iterator[Interface], recorded: set[str]) -> set[str]:
    """Return the subnets that have interfaces, each with a flow log."""
    by_state: dict[bool, set[str]] = {True: set(), False: set()}
    for interface in interfaces:
        by_state[interface.interface_id in recorded].add(interface.subnet_id)
    return by_state[True] - by_state[False]


def _is_owner(account_id: str | None, subnet: Subnet) -> bool:
    """Tell whether a source lists its flow logs, so that the account is not None, and may own a subnet."""
    return account_id is not None and (not account_id or not subnet.account_id or account_id == subnet.account_id)
