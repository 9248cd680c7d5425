"""Whose an address is: the interface of the inventory that has it, with what EC2 tells of it."""

from __future__ import annotations

from collections.abc import Mapping

from kcl_flowlog.counting.subnets import Interface, Inventory
from kcl_flowlog.inventory.interface_details import InterfaceDetails
from kcl_flowlog.web.who_report import InterfaceNote

_NOTHING = InterfaceDetails()


class OwnInterfaces:
    """The interfaces of an inventory by VPC and address."""

    def __init__(self, inventory: Inventory, details: Mapping[str, InterfaceDetails]) -> None:
        self._details = details
        self._in_vpc: dict[tuple[str, str], Interface] = {}
        self._anywhere: dict[str, Interface | None] = {}
        for interface in inventory.interfaces:
            for address in interface.addresses:
                self._in_vpc[interface.vpc_id, address] = interface
                self._anywhere[address] = None if address in self._anywhere else interface

    def find(self, address: str, vpc_id: str) -> InterfaceNote | None:
        """Return the interface with an address as seen from a VPC; None if none has it, or several elsewhere have."""
        interface = self._in_vpc.get((vpc_id, address)) or self._anywhere.get(address)
        if interface is None:
            return None
        found = self._details.get(interface.interface_id, _NOTHING)
        return InterfaceNote(
            interface.interface_id,
            interface.subnet_id,
            found.description,
            found.interface_type or interface.interface_type,
            found.instance_id,
            found.security_groups,
            found.name,
        )
