"""Merging what EC2 says now with what was known before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet

Entry = TypeVar("Entry", Subnet, Interface, FlowLog)


class Reading(NamedTuple):
    """A source and its inventory, or None if EC2 refused or could not be reached, or was not asked."""

    source: Source
    inventory: Inventory | None


def merge(old: Inventory, readings: Sequence[Reading], ttl: float) -> Inventory:
    """Return the inventory after some sources were read.

    Keeps a subnet, interface or flow log that has vanished for `ttl` seconds, because its records arrive for hours, and
    everything of a source that was not read. A subnet that two accounts share is described by its owner, as only
    the owner sees its name.
    """
    read = [reading.inventory for reading in readings if reading.inventory is not None]
    if not read:
        return old
    now = max(new.taken_at for new in read)
    unread = {reading.source.key for reading in readings if reading.inventory is None}

    def is_kept(entry: Subnet | Interface | FlowLog) -> bool:
        return entry.source in unread or entry.seen_at >= now - ttl

    subnets = [subnet for new in read for subnet in new.subnets]
    subnets += [subnet for subnet in old.subnets if subnet.source in unread]
    sources = tuple(_source(reading, old) for reading in readings)
    interfaces = [interface for new in read for interface in new.interfaces]
    flow_logs = [flow_log for new in read for flow_log in new.flow_logs]
    return Inventory(
        now,
        _first_of_each(lambda subnet: subnet.subnet_id, _owners_first(subnets, sources), filter(is_kept, old.subnets)),
        _first_of_each(lambda interface: interface.interface_id, interfaces, filter(is_kept, old.interfaces)),
        _first_of_each(lambda flow_log: flow_log.flow_log_id, flow_logs, filter(is_kept, old.flow_logs)),
        sources,
    )


def _owners_first(subnets: Iterable[Subnet], sources: Iterable[Source]) -> list[Subnet]:
    accounts = {source.key: source.account_id for source in sources}
    return sorted(subnets, key=lambda subnet: subnet.account_id != accounts[subnet.source])


def with_interfaces(inventory: Inventory, found: Iterable[Interface]) -> Inventory:
    """Return the inventory with further interfaces, which it lacks."""
    return msgspec.structs.replace(inventory, interfaces=(*inventory.interfaces, *found))


def _first_of_each(identify: Callable[[Entry], str], *groups: Iterable[Entry]) -> tuple[Entry, ...]:
    entries: dict[str, Entry] = {}
    for group in groups:
        for entry in group:
            entries.setdefault(identify(entry), entry)
    return tuple(entries.values())


def _source(reading: Reading, old: Inventory) -> Source:
    if reading.inventory is not None:
        return reading.inventory.sources[0]
    return next((source for source in old.sources if source.key == reading.source.key), reading.source)
