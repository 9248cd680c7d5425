"""The inventory in dictionaries, with which tests compare `Index`: larger, and simple enough to be right."""

from __future__ import annotations

from typing import NamedTuple

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.interface_types import interface_type
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.prefixes import Prefixes, pack
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Subnet


class _Scope(NamedTuple):
    """The VPCs and subnets whose traffic a log group records."""

    vpc_ids: frozenset[str]
    subnet_ids: frozenset[str]

    def includes(self, subnet: Subnet) -> bool:
        """Tell whether the log group records the traffic of a subnet, or of an interface in it."""
        return subnet.vpc_id in self.vpc_ids or subnet.subnet_id in self.subnet_ids


class DictIndex:
    """Answers as `Index` must.

    `covers_unnamed` says that lines without a log group come from the networks of the inventory.
    """

    def __init__(self, inventory: Inventory, covers_unnamed: bool = False) -> None:
        self._covers_unnamed = covers_unnamed
        self.subnets = {subnet.subnet_id: subnet for subnet in inventory.subnets}
        self.interfaces = {interface.interface_id: from_inventory(interface) for interface in inventory.interfaces}
        self._subnet_ids = {*self.subnets, *(interface.subnet_id for interface in inventory.interfaces)}
        permitted = [source.interfaces_listed for source in inventory.sources]
        self.lists_interfaces = any(permitted) or not permitted
        self.vpcs: dict[str, Prefixes[Subnet]] = {}
        for subnet in inventory.subnets:
            networks = self.vpcs.setdefault(subnet.vpc_id, Prefixes())
            for cidr in subnet.cidrs:
                networks.add(cidr, subnet)
        self._flow_logs: dict[str, list[FlowLog]] = {}
        for flow_log in inventory.flow_logs:
            self._flow_logs.setdefault(flow_log.log_group, []).append(flow_log)
        self._sources = inventory.sources

    def lists_subnet(self, subnet_id: str) -> bool:
        """Tell whether EC2 named a subnet, itself or as that of an interface."""
        return subnet_id in self._subnet_ids

    def lists_vpc(self, vpc_id: str) -> bool:
        """Tell whether EC2 named a subnet of a VPC."""
        return vpc_id in self.vpcs

    def find_in_vpc(self, packed: bytes, vpc_id: str) -> Subnet | None:
        """Return the subnet of an address in a VPC, or None."""
        networks = self.vpcs.get(vpc_id)
        return None if networks is None else networks.find(packed)

    def find_subnet(self, packed: bytes, vpc_id: str) -> Subnet | None:
        """Return the subnet of an address as seen from a VPC.

        The VPC itself comes first. Other VPCs come next, as the address may be
        in a peered VPC; if several of them use it, the answer is None.
        """
        subnet = self.find_in_vpc(packed, vpc_id)
        if subnet is not None:
            return subnet
        subnets = self._find_in_all_vpcs(packed)
        return subnets[0] if len(subnets) == 1 else None

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
            flow_logs = [flow_log for several in self._flow_logs.values() for flow_log in several]
        else:
            flow_logs = self._flow_logs.get(log_stream.log_group, [])
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

    def _find_in_all_vpcs(self, packed: bytes) -> list[Subnet]:
        return [subnet for networks in self.vpcs.values() if (subnet := networks.find(packed)) is not None]

    def _scope_of(self, log_stream: LogStream) -> _Scope | None:
        """Return what a log group records, None if that is not known."""
        log_group = log_stream._replace(name="")
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
        return _Scope(resources, resources | subnets)


def from_inventory(interface: Interface) -> KnownInterface:
    """Return an interface of the inventory; addresses that are not valid are left out."""
    packed = [address for address in map(pack, interface.addresses) if address is not None]
    prefixes = Prefixes([(prefix, True) for prefix in interface.prefixes]) if interface.prefixes else None
    return KnownInterface(
        interface.subnet_id, interface.vpc_id, packed, prefixes, interface_type(interface.interface_type)
    )
