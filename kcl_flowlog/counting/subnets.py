"""The inventory as plain data: subnets, interfaces and flow logs, as EC2 describes them.

It is saved as JSON, so the names of the fields stay. Knows nothing of AWS
clients, and looks nothing up; that is `inventory_index.py`.
"""

from __future__ import annotations

import msgspec


class Subnet(msgspec.Struct, frozen=True):
    """A subnet as EC2 describes it.

    Here and below, `seen_at` is the last time that EC2 named it, in Unix
    seconds, and `source` is the key of the `Source` that it was read from.
    `tags` are the keys and values of those tags that `--subnet-tags` names.
    """

    subnet_id: str
    vpc_id: str
    availability_zone_id: str
    cidr: str
    ipv6_cidrs: tuple[str, ...] = ()
    account_id: str = ""
    name: str = ""
    seen_at: float = 0.0
    source: str = ""
    region: str = ""
    vpc_name: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def cidrs(self) -> tuple[str, ...]:
        """All its CIDR blocks; an IPv6-only subnet has no IPv4 block."""
        return ((self.cidr,) if self.cidr else ()) + self.ipv6_cidrs


class Interface(msgspec.Struct, frozen=True):
    """A network interface with all its private addresses and delegated prefixes, IPv4 and IPv6.

    `interface_type` is EC2's word, empty if not known.
    """

    interface_id: str
    subnet_id: str
    vpc_id: str
    addresses: tuple[str, ...] = ()
    seen_at: float = 0.0
    prefixes: tuple[str, ...] = ()
    source: str = ""
    interface_type: str = ""


class FlowLog(msgspec.Struct, frozen=True):
    """A flow log that writes to a log group, as EC2 describes it.

    `resource_id` is the VPC, subnet, interface or transit gateway whose
    traffic it records. `log_format` is the format of its lines, `${field} …`,
    and `traffic_type` is ACCEPT, REJECT or ALL. `account_id` is the account
    that owns it, empty if not known. `delivery_error` is why its records don't
    arrive, a key of `delivery_errors.DELIVERY_ERRORS`, or empty if they do.
    """

    flow_log_id: str
    resource_id: str
    log_group: str
    log_format: str
    traffic_type: str = "ALL"
    account_id: str = ""
    seen_at: float = 0.0
    source: str = ""
    delivery_error: str = ""


class Source(msgspec.Struct, frozen=True):
    """One account and region that the inventory is read from.

    `key` identifies it for good. `taken_at` is the time of the last successful
    read in Unix seconds, 0 if it never was. `interfaces_listed`,
    `flow_logs_listed` and `vpcs_listed` are False if EC2 does not permit
    listing them.
    """

    key: str
    account_id: str = ""
    region: str = ""
    taken_at: float = 0.0
    interfaces_listed: bool = True
    flow_logs_listed: bool = True
    vpcs_listed: bool = True


class Inventory(msgspec.Struct, frozen=True):
    """What EC2 says about all sources; `taken_at` is the time of the latest read in Unix seconds."""

    taken_at: float = 0.0
    subnets: tuple[Subnet, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    flow_logs: tuple[FlowLog, ...] = ()
    sources: tuple[Source, ...] = ()


def dump(inventory: Inventory) -> bytes:
    """Return the inventory as JSON, as `load` reads it."""
    return msgspec.json.encode(inventory)


def load(data: bytes) -> Inventory:
    """Return the inventory that `dump` saved, in this version or before. Raises `msgspec.DecodeError` for all else."""
    inventory = msgspec.json.decode(data, type=Inventory)
    if all(subnet.region for subnet in inventory.subnets):
        return inventory
    # Earlier versions saved the region of each source only.
    regions = {source.key: source.region for source in inventory.sources}
    subnets = (
        msgspec.structs.replace(subnet, region=subnet.region or regions.get(subnet.source, ""))
        for subnet in inventory.subnets
    )
    return msgspec.structs.replace(inventory, subnets=tuple(subnets))
