"""Random conversations between the interfaces of a world, the internet and an office.

`Conversations` draws the flows of a conversation from a random generator; the same
seed and world give the same flows. Quiet conversations differ little from one hour to
the next: nobody makes a backup, and the same ports are rejected again and again. It
must not know how flows are recorded.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kcl_flowlog.demo.records import ICMP, ICMPV6, IPIP, SCTP, TCP, UDP, End, Flow
from kcl_flowlog.demo.tally import Sums
from kcl_flowlog.demo.world import Interface, World

SCANNED_PORTS = (22, 23, 445, 1433, 3389, 5900, 6379, 8080)

_WITH_PORTS = {TCP, UDP}
_CHANCE_OF_BACKUP = 1 / 2000


class Service(NamedTuple):
    """A service that clients use: protocol, port (0 for none), the most packets of a flow, and its weight."""

    protocol: int
    port: int
    max_packets: int
    weight: int


_SERVICES = (
    Service(TCP, 443, 4000, 40),
    Service(TCP, 80, 800, 10),
    Service(TCP, 5432, 2000, 15),
    Service(TCP, 22, 300, 3),
    Service(UDP, 53, 4, 20),
    Service(UDP, 123, 2, 4),
    Service(UDP, 443, 1500, 6),
    Service(ICMP, 0, 5, 4),
)
_REJECTED_IF_QUIET = _SERVICES[:1]
_TUNNELS = (Service(TCP, 443, 500, 6), Service(IPIP, 0, 3000, 2), Service(SCTP, 0, 1000, 1), Service(ICMP, 0, 5, 1))


class Conversations:
    """Draws conversations in `world` from `rng`."""

    def __init__(self, world: World, rng: random.Random, *, is_quiet: bool = False) -> None:
        self._world = world
        self._rng = rng
        self._busy = [interface for interface in world.interfaces if not interface.idle]
        self._chance_of_backup = 0.0 if is_quiet else _CHANCE_OF_BACKUP
        self._rejected = _REJECTED_IF_QUIET if is_quiet else _SERVICES
        self._rejected_at_source_ports = (25,) if is_quiet else (25, 445, 6667)
        self._kinds: dict[Callable[[], list[Flow]], int] = {
            self._inside_a_subnet: 15,
            self._across_subnets: 35,
            self._to_the_internet: 22,
            self._from_the_internet: 12,
            self._from_the_office: 6,
            self._rejected_at_target: 4,
            self._rejected_at_source: 3,
        }

    def leave_out(self, interface: Interface) -> None:
        """Draw no more conversations of `interface`. A second call does nothing."""
        self._busy = [other for other in self._busy if other != interface]

    def draw(self) -> list[Flow]:
        """Return the flows of a conversation; empty if its kind finds no partner."""
        (make,) = self._rng.choices(list(self._kinds), list(self._kinds.values()))
        return make()

    def draw_scan(self) -> list[Flow]:
        """Return the rejected flows of an internet address that tries some ports of each interface of a subnet."""
        scanner = self._internet(ipv6=False)
        targets = self._world.interfaces_of(self._rng.choice(self._world.subnets))
        return [
            self._rejected_try(scanner, End(interface.ipv4[0], interface), port)
            for interface in targets
            for port in SCANNED_PORTS
        ]

    def _rejected_try(self, scanner: End, target: End, port: int) -> Flow:
        tries = self._rng.randint(1, 3)
        return Flow(scanner, target, TCP, self._client_port(), port, Sums(1, tries, tries * 44), "target")

    def _inside_a_subnet(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        return self._inside(client, lambda other: other.subnet == client.subnet)

    def _across_subnets(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        return self._inside(
            client, lambda other: other.subnet.vpc_id == client.subnet.vpc_id and other.subnet != client.subnet
        )

    def _inside(self, client: Interface, is_wanted: Callable[[Interface], bool], rejected_at: str = "") -> list[Flow]:
        """Return a conversation with an interface that `is_wanted` accepts, or no flows if no interface is accepted."""
        others = [other for other in self._busy if other != client and is_wanted(other)]
        if not others:
            return []
        server = self._rng.choice(others)
        ipv6 = bool(client.ipv6 and server.ipv6) and self._rng.random() < 0.3
        services = self._rejected if rejected_at else _SERVICES
        return self._conversation(self._end(client, ipv6), self._end(server, ipv6), services, rejected_at)

    def _to_the_internet(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        ipv6 = bool(client.ipv6) and self._rng.random() < 0.5
        return self._conversation(self._end(client, ipv6), self._internet(ipv6), _SERVICES)

    def _from_the_internet(self) -> list[Flow]:
        server = self._rng.choice(self._busy)
        ipv6 = bool(server.ipv6) and self._rng.random() < 0.5
        return self._conversation(self._internet(ipv6), self._end(server, ipv6), _SERVICES)

    def _from_the_office(self) -> list[Flow]:
        """Return a conversation of a VPN client, whose private address is in no subnet of the world."""
        network = self._rng.choice(("192.168.7.", "172.20.1.", "100.64.3.", "10.200.0."))
        office = End(network + str(self._rng.randint(1, 254)), peer_label="private")
        return self._conversation(office, self._end(self._rng.choice(self._busy), ipv6=False), _TUNNELS)

    def _rejected_at_target(self) -> list[Flow]:
        """Return a request that leaves its source, which never learns that the target's side rejects it."""
        client = self._rng.choice(self._busy)
        return self._inside(client, lambda other: other.subnet.vpc_id == client.subnet.vpc_id, "target")

    def _rejected_at_source(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        ipv6 = bool(client.ipv6) and self._rng.random() < 0.3
        service = (Service(TCP, self._rng.choice(self._rejected_at_source_ports), 3, 1),)
        return self._conversation(self._end(client, ipv6), self._internet(ipv6), service, "source")

    def _conversation(self, client: End, server: End, services: Sequence[Service], rejected_at: str = "") -> list[Flow]:
        """Return the request and, unless it is rejected, the answer."""
        (service,) = self._rng.choices(services, [service.weight for service in services])
        protocol = ICMPV6 if service.protocol == ICMP and ":" in client.address else service.protocol
        port = self._client_port() if protocol in _WITH_PORTS else 0
        if rejected_at:
            tries = self._rng.randint(1, 3)
            return [Flow(client, server, protocol, port, service.port, Sums(1, tries, tries * 60), rejected_at)]
        return [
            Flow(client, server, protocol, port, service.port, self._volume(service)),
            Flow(server, client, protocol, service.port, port, self._volume(service)),
        ]

    def _volume(self, service: Service) -> Sums:
        """Return the volume of a flow: usually small, rarely large, and very rarely a backup of gigabytes."""
        if service.protocol == TCP and self._rng.random() < self._chance_of_backup:
            packets = self._rng.randint(2_000_000, 4_000_000)
            return Sums(1, packets, packets * 1448)
        packets = max(1, int(service.max_packets * self._rng.random() ** 4))
        return Sums(1, packets, packets * self._rng.randint(60, 1500))

    def _client_port(self) -> int:
        return self._rng.randint(32768, 60999)

    def _end(self, interface: Interface, ipv6: bool) -> End:
        return End(self._rng.choice(interface.ipv6 if ipv6 else interface.ipv4), interface)

    def _internet(self, ipv6: bool) -> End:
        """Return an address from the networks that are reserved for documentation."""
        if ipv6:
            address = f"2001:db8:{self._rng.randint(1, 0xFFFF):x}::{self._rng.randint(1, 0xFFFF):x}"
        else:
            address = self._rng.choice(("192.0.2.", "198.51.100.", "203.0.113.")) + str(self._rng.randint(1, 254))
        return End(address, peer_label="internet")
