"""The network of the demo, as AWS describes it: subnets, network interfaces, and the stream of their flow logs.

Frozen data only; `world_builder` makes a `World` in an AWS. It must not know how
traffic is made or counted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subnet:
    """A subnet as EC2 knows it.

    `name` is its Name tag, `zone_id` looks like euw1-az1, and `log_group` is
    where the flow logs of its VPC go.
    """

    id: str
    name: str
    vpc_id: str
    zone_id: str
    cidr: str
    ipv6_cidr: str = ""
    log_group: str = ""


@dataclass(frozen=True)
class Interface:
    """A network interface.

    `ipv4` starts with the primary address. An `idle` interface has no traffic.
    """

    id: str
    account_id: str
    subnet: Subnet
    ipv4: tuple[str, ...]
    ipv6: tuple[str, ...] = ()
    idle: bool = False


@dataclass(frozen=True)
class World:
    """All subnets and interfaces of the demo's account, and the stream that their flow logs go to.

    The interfaces of NAT gateways are apart, as they take part in no conversation.
    """

    stream: str
    account_id: str
    subnets: tuple[Subnet, ...]
    interfaces: tuple[Interface, ...]
    nat_gateways: tuple[Interface, ...] = ()

    def interfaces_of(self, subnet: Subnet) -> tuple[Interface, ...]:
        """Return the interfaces of `subnet`."""
        return tuple(interface for interface in self.interfaces if interface.subnet == subnet)
