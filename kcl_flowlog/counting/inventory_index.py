"""The inventory, indexed for lookups.

Finds an interface or a subnet by id, the subnet of an address as seen from a
VPC, the subnets that an interface may be in, and the flow logs of a log
stream. Each answer is certain, or is all that is possible; nothing is guessed.
"""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.intervals import NOTHING, SHARED
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.inventory_tables import Tables
from kcl_flowlog.counting.listed_subnets import UNKNOWN
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.subnets import FlowLog, Inventory, Subnet

# The sender names the owner of a log group, so there could be any number of them.
_MAX_SCOPES = 4096
_MAX_VPCS = 4096


class Scope(NamedTuple):
    """The VPCs and subnets whose traffic a log group records."""

    vpc_ids: frozenset[str]
    subnet_ids: frozenset[str]

    def includes(self, subnet: Subnet) -> bool:
        """Tell whether the log group records the traffic of a subnet, or of an interface in it."""
        return subnet.vpc_id in self.vpc_ids or subnet.subnet_id in self.subnet_ids


class Index:
    """An inventory, indexed for lookups: packed here, or the tables of a packed inventory.

    `covers_unnamed` says that lines without a log group come from the networks of the inventory.
    """

    def __init__(self, inventory: Inventory | Tables, covers_unnamed: bool = False) -> None:
        self._covers_unnamed = covers_unnamed
        self.tables = inventory if isinstance(inventory, Tables) else Tables(memoryview(pack(inventory)))
        self.subnets, self.interfaces = self.tables.subnets, self.tables.interfaces
        self._flow_logs = self.tables.flow_logs
        self._sources = self.tables.facts.sources
        permitted = [source.interfaces_listed for source in self._sources]
        self.lists_interfaces = any(permitted) or not permitted
        self._vpc_numbers: BoundedCache[str, int] = BoundedCache(self.tables.vpcs.find, _MAX_VPCS)
        self._vpc_count = self.tables.ipv4.count - 1
        # Not a `BoundedCache`, which would be in a cycle with this index and keep its memory for longer.
        self._scopes: dict[LogStream, Scope | None] = {}

    def lists_subnet(self, subnet_id: str) -> bool:
        """Tell whether EC2 named a subnet, itself or as that of an interface."""
        return self.subnets.row(subnet_id) != UNKNOWN

    def lists_vpc(self, vpc_id: str) -> bool:
        """Tell whether EC2 named a subnet of a VPC."""
        return self._vpc_numbers[vpc_id] >= 0

    def vpc_number(self, vpc_id: str) -> int:
        """Return the number of a VPC, in the order in which EC2 named them, or -1."""
        return max(-1, self._vpc_numbers[vpc_id])

    def find_in_vpc(self, packed: bytes, vpc_id: str) -> Subnet | None:
        """Return the subnet of an address in a VPC, or None."""
        vpc = self._vpc_numbers[vpc_id]
        row = NOTHING if vpc < 0 else self._find(packed, vpc)
        return None if row == NOTHING else self.subnets.at(row)

    def find_subnet(self, packed: bytes, vpc_id: str) -> Subnet | None:
        """Return the subnet of an address as seen from a VPC.

        The VPC itself comes first. Other VPCs come next, as the address may be
        in a peered VPC; if several of them use it, the answer is None.
        """
        row = self.find_row(packed, vpc_id)
        return None if row == NOTHING else self.subnets.at(row)

    def find_row(self, packed: bytes, vpc_id: str) -> int:
        """Return the row of the subnet that `find_subnet` returns, or `NOTHING`."""
        vpc = self._vpc_numbers[vpc_id]
        row = NOTHING if vpc < 0 else self._find(packed, vpc)
        return row if row != NOTHING else max(NOTHING, self._find_in_any(packed))

    def possible_subnets(self, packed: bytes, vpc_id: str, log_stream: LogStream) -> list[Subnet]:
        """Return the subnets that an interface with this address may be in.

        They are in its VPC, if that is known, else in what the log group of its
        log stream records. Several VPCs may use the address.
        """
        if vpc_id != NO_VALUE:
            subnet = self.find_in_vpc(packed, vpc_id)
            return [] if subnet is None else [subnet]
        subnets = self._find_in_all_vpcs(packed)
        scope = self._scope_of(log_stream)
        return subnets if scope is None else [subnet for subnet in subnets if scope.includes(subnet)]

    def flow_logs_of(self, log_stream: LogStream) -> list[FlowLog]:
        """Return the flow logs that may have written the lines of a log stream.

        These are the flow logs of its log group, or all if it has no log group
        and the inventory covers such lines; of these, those in the account of
        the log group, if any; of these, those that cover its interface, if any
        does.
        """
        if self._covers_unnamed and not log_stream.log_group:
            flow_logs = self._flow_logs.all()
        else:
            flow_logs = self._flow_logs.of(log_stream.log_group)
        flow_logs = [flow_log for flow_log in flow_logs if flow_log.account_id in ("", log_stream.owner)] or flow_logs
        interface = self.interfaces.get(log_stream.interface_id)
        if interface is None:
            return flow_logs
        resources = (log_stream.interface_id, interface.subnet_id, interface.vpc_id)
        return [flow_log for flow_log in flow_logs if flow_log.resource_id in resources] or flow_logs

    def knows_scope_of(self, log_stream: LogStream) -> bool:
        """Tell whether it is known what the log group records, or EC2 listed no flow log at all."""
        if self._covers_unnamed and not log_stream.log_group:
            return True
        return not self._flow_logs or self._scope_of(log_stream) is not None

    def _find(self, packed: bytes, vpc: int) -> int:
        if len(packed) == 4:
            return self.tables.ipv4.find(vpc, int.from_bytes(packed, "big"))
        return self.tables.ipv6.find(vpc, packed)

    def _find_in_any(self, packed: bytes) -> int:
        if len(packed) == 4:
            return self.tables.ipv4.find_in_any(int.from_bytes(packed, "big"))
        return self.tables.ipv6.find_in_any(packed)

    def _find_in_all_vpcs(self, packed: bytes) -> list[Subnet]:
        row = self._find_in_any(packed)
        rows = (self._find(packed, vpc) for vpc in range(self._vpc_count)) if row == SHARED else (row,)
        return [self.subnets.at(row) for row in rows if row != NOTHING]

    def _scope_of(self, log_stream: LogStream) -> Scope | None:
        """Return what a log group records, None if that is not known."""
        log_group = log_stream._replace(name="")
        if log_group not in self._scopes:
            if len(self._scopes) >= _MAX_SCOPES:
                self._scopes.clear()
            self._scopes[log_group] = self._find_scope(log_group)
        return self._scopes[log_group]

    def _find_scope(self, log_group: LogStream) -> Scope | None:
        # Flow logs that write to S3 are not listed, so their networks are not known.
        if self._covers_unnamed and not log_group.log_group:
            return None
        flow_logs = self.flow_logs_of(log_group)
        sources = [source for source in self._sources if source.account_id in ("", log_group.owner)]
        if not log_group.owner or not self._sources:
            if not flow_logs:
                return None
        elif not sources:
            # An account that is not read may have a log group with the name of another account's.
            flow_logs = [flow_log for flow_log in flow_logs if flow_log.account_id in ("", log_group.owner)]
        elif not flow_logs and not all(source.flow_logs_listed for source in sources):
            return None
        resources = frozenset(flow_log.resource_id for flow_log in flow_logs)
        subnets = frozenset(self.interfaces[name].subnet_id for name in resources if name in self.interfaces)
        return Scope(resources, resources | subnets)
