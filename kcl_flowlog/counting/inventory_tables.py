"""The tables of a packed inventory, read where they are, without a copy."""

from __future__ import annotations

from functools import partial

import msgspec

from kcl_flowlog.counting.address_layers import ipv4_layers, ipv6_layers
from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.listed_interfaces import InterfaceTable, ListedInterfaces
from kcl_flowlog.counting.listed_subnets import ListedSubnets, NumberedIds
from kcl_flowlog.counting.packed_inventory import sections_of
from kcl_flowlog.counting.sorted_texts import NOT_FOUND, Slices, SortedTexts
from kcl_flowlog.counting.subnets import FlowLog, Source

_MAX_LOG_GROUPS = 256
_FlowLogs = BoundedCache[int, list[FlowLog]]


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What is small, so that each processor holds it.

    `is_certain` is False if a network belongs to a subnet whose id a later subnet has as well. `subnet_count` is the
    number of ids of subnets; the rows from there on are such replaced subnets.
    """

    is_certain: bool
    subnet_count: int
    interface_types: tuple[str, ...]
    sources: tuple[Source, ...]


class Tables:
    """The tables of a packed inventory; `data` must stay as it is."""

    def __init__(self, data: memoryview) -> None:
        self.sections = sections_of(data)
        self.facts = msgspec.json.decode(self.sections["facts"], type=Facts)
        subnet_ids, self.vpcs = (NumberedIds(kind, self.sections) for kind in ("subnet", "vpc"))
        self.subnets = ListedSubnets(subnet_ids, self.sections)
        table = InterfaceTable(self.sections, subnet_ids.texts, self.vpcs.texts, self.facts.interface_types)
        self.interfaces = ListedInterfaces(table)
        self.ipv4, self.ipv6 = ipv4_layers(self.sections), ipv6_layers(self.sections)
        self.flow_logs = ListedFlowLogs(self.sections)


class ListedFlowLogs:
    """The flow logs of each log group."""

    def __init__(self, sections: dict[str, memoryview]) -> None:
        self._log_groups = SortedTexts(sections["log_groups"], sections["log_group_ends"])
        self._numbers = sections["log_group_numbers"].cast("q")
        entries = Slices(sections["flow_logs"], sections["flow_log_ends"])
        self._count = len(entries)
        self._kept: _FlowLogs = BoundedCache(partial(_decode, entries), _MAX_LOG_GROUPS)

    def __len__(self) -> int:
        """Return the number of log groups."""
        return self._count

    def of(self, log_group: str) -> list[FlowLog]:
        """Return the flow logs that write to a log group, in the order of the inventory."""
        place = self._log_groups.find(log_group)
        return [] if place == NOT_FOUND else self._kept[self._numbers[place]]

    def all(self) -> list[FlowLog]:
        """Return all flow logs, by log group."""
        return [flow_log for number in range(self._count) for flow_log in self._kept[number]]


def _decode(entries: Slices, number: int) -> list[FlowLog]:
    return msgspec.json.decode(entries[number], type=list[FlowLog])
