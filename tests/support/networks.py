"""Random networks, and the records that their interfaces write as AWS does.

Several VPCs use the same blocks. An interface has one primary IPv4 address, which is in all of its IPv4 records, and
any number of IPv6 addresses in all networks of its subnet. The inventory lacks new subnets, an account and a region.
Knows nothing of how a record is placed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet

FORMAT = "${interface-id} ${srcaddr} ${dstaddr} ${action} ${log-status} ${vpc-id} ${flow-direction}"

_ACCOUNT, _FOREIGN_ACCOUNT = "123456789010", "999999999999"
# A VPC of an account that is not read, and a VPC of a region that is not read; both have the blocks of the others.
_FOREIGN_VPC, _FAR_VPC = "vpc-0000000f", "vpc-0000000e"
_PUBLIC_IPV6 = ("2600:1f18:1:2::", "2600:1f18:1:3::", "2a00:1450:4001::", "2606:4700::", "2404:6800:4::")


class Recorded(NamedTuple):
    """A line, and the log stream that it is in."""

    log_stream: LogStream
    line: str


@dataclass
class Network:
    """An inventory with the interfaces, the same without them, and the lines of all interfaces in order."""

    listed: Inventory
    unlisted: Inventory
    records: list[Recorded] = field(default_factory=list)


class _Drawing:
    """Draws one network from a generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._flow_logs_listed = rng.random() < 0.8
        self._shared_log_group = rng.random() < 0.4
        self._writes_vpc = rng.random() < 0.3
        self._chance_of_direction = rng.choice((0.0, 0.0, 0.3, 1.0))
        self._private_ipv6 = rng.random() < 0.1
        self._subnets: list[Subnet] = []
        self._hidden: list[Subnet] = []

    def network(self) -> Network:
        """Return the network."""
        vpcs = [f"vpc-{number:08x}" for number in range(1, self._rng.randint(1, 3) + 1)]
        for number, vpc_id in enumerate(vpcs):
            self._draw_subnets(vpc_id, number)
        if self._rng.random() < 0.3:
            self._hidden += [self._subnet(_FOREIGN_VPC, 15, number) for number in (1, 2)]
        if self._flow_logs_listed and self._rng.random() < 0.2:
            self._hidden += [self._subnet(_FAR_VPC, 14, number) for number in (1, 2)]
        interfaces = tuple(self._interface(number) for number in range(self._rng.randint(1, 8)))
        flow_logs = tuple(
            FlowLog(f"fl-{vpc_id}", vpc_id, self._log_group(vpc_id), DEFAULT_FORMAT, account_id=_ACCOUNT)
            for vpc_id in (vpcs if self._flow_logs_listed else [])
        )
        sources = (Source("here", _ACCOUNT, flow_logs_listed=self._flow_logs_listed),)
        subnets = tuple(self._subnets)
        network = Network(
            Inventory(1.0, subnets, interfaces, flow_logs, sources), Inventory(1.0, subnets, (), flow_logs, sources)
        )
        for interface in interfaces:
            network.records += self._records(interface)
        self._rng.shuffle(network.records)
        return network

    def _draw_subnets(self, vpc_id: str, vpc: int) -> None:
        self._subnets += [self._subnet(vpc_id, vpc, number) for number in range(1, self._rng.randint(2, 5))]
        if self._rng.random() < 0.4:
            # A block that another VPC of the log group has as well is ambiguous before the inventory knows it.
            is_alone = self._writes_vpc or (self._flow_logs_listed and not self._shared_log_group)
            self._hidden.append(self._subnet(vpc_id, vpc, 8 if is_alone else 20 + vpc))

    def _subnet(self, vpc_id: str, vpc: int, number: int) -> Subnet:
        network = f"fd00:1:{number:x}" if self._private_ipv6 else f"2001:db8:{vpc:x}{number:02x}"
        blocks = [f"{network}:{block:x}00::/{self._rng.choice((64, 60, 56))}" for block in (1, 2)]
        # EC2 lists a second block while the first is being replaced; a subnet that is not listed is new.
        blocks = blocks[: self._rng.choice((0, 1, 1, 1, 2)) if number < 8 else 1]
        zone = f"az{number % 2}"
        return Subnet(f"subnet-{vpc:04x}{number:04x}", vpc_id, zone, f"10.0.{number}.0/24", tuple(blocks))

    def _log_group(self, vpc_id: str) -> str:
        return "all" if self._shared_log_group and vpc_id != _FAR_VPC else vpc_id

    def _interface(self, number: int) -> Interface:
        hidden = bool(self._hidden) and self._rng.random() < 0.3
        subnet = self._rng.choice(self._hidden if hidden else self._subnets)
        ipv4 = [self._ipv4_in(subnet, number + 10)]
        count = self._rng.choice((0, 1, 1, 2, 6, 30)) if subnet.ipv6_cidrs else 0
        ipv6 = [self._ipv6_in(subnet, f"{number:x}:{host:x}") for host in range(count)]
        addresses = ([] if ipv6 and self._rng.random() < 0.3 else ipv4) + ipv6
        return Interface(f"eni-{number:08x}", subnet.subnet_id, subnet.vpc_id, tuple(addresses))

    def _ipv4_in(self, subnet: Subnet, host: int) -> str:
        return f"{subnet.cidr.rpartition('.')[0]}.{host}"

    def _ipv6_in(self, subnet: Subnet, host: str) -> str:
        """Return an address in a block of a subnet, any of its /64 networks."""
        block, _, length = self._rng.choice(subnet.ipv6_cidrs).partition("::/")
        number = int(block.rpartition(":")[2], 16) + self._rng.randrange(2 ** (64 - int(length)))
        return f"{block.rpartition(':')[0]}:{number:x}:0:0:{host}"

    def _peer(self, subnet: Subnet, is_ipv6: bool) -> str:
        """Return an address that no interface has."""
        kind = self._rng.choice(("subnet", "vpc", "vpc", "any", "private", "public"))
        host = self._rng.randint(100, 250)
        if kind in ("private", "public"):
            if is_ipv6:
                return self._rng.choice(_PUBLIC_IPV6) + f"{host:x}"
            networks = ("192.168.7.", "10.200.0.") if kind == "private" else ("20.1.2.", "52.95.110.", "8.8.4.")
            return self._rng.choice(networks) + str(host)
        everywhere = [each for each in self._subnets + self._hidden if each.ipv6_cidrs or not is_ipv6]
        near = [each for each in everywhere if each.vpc_id == subnet.vpc_id] if kind == "vpc" else everywhere
        target = subnet if kind == "subnet" else self._rng.choice(near)
        return self._ipv6_in(target, f"ff:{host:x}") if is_ipv6 else self._ipv4_in(target, host)

    def _records(self, interface: Interface) -> list[Recorded]:
        subnet = next(each for each in self._subnets + self._hidden if each.subnet_id == interface.subnet_id)
        owner = _FOREIGN_ACCOUNT if subnet.vpc_id == _FOREIGN_VPC else _ACCOUNT
        log_stream = LogStream(owner, self._log_group(subnet.vpc_id), f"{interface.interface_id}-all")
        families = sorted({":" in address for address in interface.addresses})
        peers = {
            family: [self._peer(subnet, family) for _ in range(self._rng.choice((1, 1, 2, 3, 8)))]
            for family in families
        }
        vpc_id = subnet.vpc_id if self._writes_vpc else "-"
        records = []
        for _ in range(self._rng.choice((1, 2, 3, 10, 40))):
            is_ipv6 = self._rng.choice(families)
            own = self._rng.choice([address for address in interface.addresses if (":" in address) is is_ipv6])
            ends, direction = [own, self._rng.choice(peers[is_ipv6])], "egress"
            if self._rng.random() < 0.5:
                ends, direction = ends[::-1], "ingress"
            told = direction if self._rng.random() < self._chance_of_direction else "-"
            records.append(Recorded(log_stream, f"{interface.interface_id} {' '.join(ends)} ACCEPT OK {vpc_id} {told}"))
        return records


def network(seed: int) -> Network:
    """Return the network of a seed."""
    return _Drawing(random.Random(seed)).network()
