"""Made-up traffic: the flow records that the interfaces of a world would write.

`Traffic.step` is pure but for the random generator that it is given: the same
seed and world make the same records. A conversation is written as real flow
logs do it: each direction by itself, at both ends where both are interfaces,
the own end under the interface's primary IPv4 address. Every record is made
together with what it must count as; nobody reads a line back.

It must not know the product's rules or code, nor how records travel.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kcl_flowlog.demo.truth import NOTHING, Key, Sums, Truth
from kcl_flowlog.demo.world import Interface, World

AGGREGATION_INTERVAL = 60
SCANNED_PORTS = (22, 23, 445, 1433, 3389, 5900, 6379, 8080)

TCP, UDP, ICMP, ICMPV6, IPIP, SCTP = 6, 17, 1, 58, 4, 132
PROTOCOL_LABELS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}
_WITH_PORTS = {TCP, UDP}


class End(NamedTuple):
    """One end of a conversation.

    `address` is what the packets carry; `interface` is None outside the
    world, and then `place` says what such a peer counts as.
    """

    address: str
    interface: Interface | None = None
    place: str = ""

    @property
    def written(self) -> str:
        """The address that its own interface writes: for IPv4 always the primary one."""
        if self.interface is None or ":" in self.address:
            return self.address
        return self.interface.ipv4[0]


class Flow(NamedTuple):
    """One direction of a conversation, and where it is refused: at its `source`, at its `target` or nowhere."""

    source: End
    target: End
    protocol: int
    source_port: int
    target_port: int
    sums: Sums
    refused_at: str = ""


@dataclass(frozen=True)
class Record:
    """One line of a flow log and what it counts as; `key` is None when it has no traffic.

    `start` is in Unix seconds, as in the line.
    """

    interface: Interface
    line: str
    start: int
    outcome: str
    key: Key | None = None
    sums: Sums = NOTHING

    def count_into(self, truth: Truth) -> None:
        """Add this record to `truth`."""
        truth.events[self.outcome] += 1
        if self.key is not None:
            truth.add_traffic(self.key, self.sums)


class Service(NamedTuple):
    """Something that is talked to: protocol, port (0 for none), the most packets a flow has, its weight."""

    protocol: int
    port: int
    packets: int
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
_TUNNELS = (Service(TCP, 443, 500, 6), Service(IPIP, 0, 3000, 2), Service(SCTP, 0, 1000, 1), Service(ICMP, 0, 5, 1))
_CHANCE_OF_BACKUP = 1 / 2000


class Traffic:
    """Makes what a world's interfaces write.

    Every `scan_every` seconds an address of the internet scans one subnet.
    """

    def __init__(self, world: World, rng: random.Random, scan_every: int = 60) -> None:
        self._world = world
        self._rng = rng
        self._scan_every = scan_every
        self._busy = [interface for interface in world.interfaces if not interface.idle]
        self._kinds: dict[Callable[[], Iterable[Flow]], int] = {
            self._inside_a_subnet: 15,
            self._across_subnets: 35,
            self._to_the_internet: 22,
            self._from_the_internet: 12,
            self._from_the_office: 6,
            self._refused_at_target: 4,
            self._refused_at_source: 3,
        }

    def step(self, now: int, seconds: float, wanted: int) -> list[Record]:
        """Return the records that arrive in the `seconds` before `now` (Unix seconds): at least `wanted` of traffic.

        More come from a scan, and from interfaces that had nothing to write or skipped something.
        """
        records: list[Record] = []
        while len(records) < wanted:
            make = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
            records += self._written(make(), now)
        if int(now // self._scan_every) != int((now - seconds) // self._scan_every):
            records += self._written(self._scan(), now)
        return records + self._without_traffic(records, now, seconds)

    def _written(self, flows: Iterable[Flow], now: int) -> list[Record]:
        """Return what the interfaces at the ends of `flows` write about them."""
        records = []
        for flow in flows:
            if flow.source.interface is not None:
                records.append(self._record(flow, flow.source.interface, "egress", flow.refused_at == "source", now))
            if flow.target.interface is not None and flow.refused_at != "source":
                records.append(self._record(flow, flow.target.interface, "ingress", flow.refused_at == "target", now))
        return records

    def _record(self, flow: Flow, interface: Interface, direction: str, refused: bool, now: int) -> Record:
        """Return one line; each interface has its own window, so its two ends differ in time."""
        start = now - self._rng.randint(10, AGGREGATION_INTERVAL)
        end = self._rng.randint(start, now)
        source, target = flow.source.address, flow.target.address
        if direction == "egress":
            source, other = flow.source.written, flow.target
        else:
            target, other = flow.target.written, flow.source
        line = (
            f"2 {interface.account_id} {interface.id} {source} {target} {flow.source_port} {flow.target_port} "
            f"{flow.protocol} {flow.sums.packets} {flow.sums.bytes} {start} {end} "
            f"{'REJECT' if refused else 'ACCEPT'} OK"
        )
        key = Key(
            subnet_id=interface.subnet.id,
            direction=direction,
            action="reject" if refused else "accept",
            protocol=PROTOCOL_LABELS.get(flow.protocol, "other"),
            peer=peer_class(interface, other),
        )
        return Record(interface, line, start, "counted", key, flow.sums)

    def _without_traffic(self, records: list[Record], now: int, seconds: float) -> list[Record]:
        """Return the NODATA lines of silent interfaces, one an interval each, and now and then a SKIPDATA line."""
        wrote = {record.interface for record in records}
        more = []
        for interface in self._world.interfaces:
            if interface not in wrote and self._rng.random() < seconds / AGGREGATION_INTERVAL:
                more.append(_empty(interface, "NODATA", now))
            if self._rng.random() < 0.002 * seconds:
                more.append(_empty(interface, "SKIPDATA", now))
        return more

    # The kinds of traffic: each returns the flows of one conversation.

    def _inside_a_subnet(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        return self._inside(client, lambda other: other.subnet == client.subnet)

    def _across_subnets(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        return self._inside(
            client, lambda other: other.subnet.vpc_id == client.subnet.vpc_id and other.subnet != client.subnet
        )

    def _inside(self, client: Interface, wanted: Callable[[Interface], bool], refused_at: str = "") -> list[Flow]:
        """Return a conversation with another interface that is `wanted`, or nothing where there is none."""
        others = [other for other in self._busy if other != client and wanted(other)]
        if not others:
            return []
        server = self._rng.choice(others)
        ipv6 = bool(client.ipv6 and server.ipv6) and self._rng.random() < 0.3
        return self._conversation(self._end(client, ipv6), self._end(server, ipv6), _SERVICES, refused_at)

    def _to_the_internet(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        ipv6 = bool(client.ipv6) and self._rng.random() < 0.5
        return self._conversation(self._end(client, ipv6), self._internet(ipv6), _SERVICES)

    def _from_the_internet(self) -> list[Flow]:
        server = self._rng.choice(self._busy)
        ipv6 = bool(server.ipv6) and self._rng.random() < 0.5
        return self._conversation(self._internet(ipv6), self._end(server, ipv6), _SERVICES)

    def _from_the_office(self) -> list[Flow]:
        """Somebody behind a VPN, with a private address that is in no subnet of the world."""
        network = self._rng.choice(("192.168.7.", "172.20.1.", "100.64.3.", "10.200.0."))
        office = End(network + str(self._rng.randint(1, 254)), place="private")
        return self._conversation(office, self._end(self._rng.choice(self._busy), ipv6=False), _TUNNELS)

    def _refused_at_target(self) -> list[Flow]:
        """The sender's side lets it out and never learns that the receiver's side refused it."""
        client = self._rng.choice(self._busy)
        return self._inside(client, lambda other: other.subnet.vpc_id == client.subnet.vpc_id, "target")

    def _refused_at_source(self) -> list[Flow]:
        client = self._rng.choice(self._busy)
        ipv6 = bool(client.ipv6) and self._rng.random() < 0.3
        service = (Service(TCP, self._rng.choice((25, 445, 6667)), 3, 1),)
        return self._conversation(self._end(client, ipv6), self._internet(ipv6), service, "source")

    def _scan(self) -> list[Flow]:
        """One address of the internet tries some ports of every interface of one subnet."""
        scanner = self._internet(ipv6=False)
        subnet = self._rng.choice(self._world.subnets)
        return [
            Flow(
                scanner,
                End(interface.ipv4[0], interface),
                TCP,
                self._client_port(),
                port,
                Sums(1, tries, tries * 44),
                "target",
            )
            for interface in self._world.of_subnet(subnet)
            for port in SCANNED_PORTS
            for tries in [self._rng.randint(1, 3)]
        ]

    def _conversation(self, client: End, server: End, services: Sequence[Service], refused_at: str = "") -> list[Flow]:
        """Return the request and, unless it is refused, the answer."""
        service = self._rng.choices(services, [service.weight for service in services])[0]
        protocol = ICMPV6 if service.protocol == ICMP and ":" in client.address else service.protocol
        port = self._client_port() if protocol in _WITH_PORTS else 0
        if refused_at:
            tries = self._rng.randint(1, 3)
            return [Flow(client, server, protocol, port, service.port, Sums(1, tries, tries * 60), refused_at)]
        return [
            Flow(client, server, protocol, port, service.port, self._volume(service)),
            Flow(server, client, protocol, service.port, port, self._volume(service)),
        ]

    def _volume(self, service: Service) -> Sums:
        """Return how much a flow carries: mostly little, seldom much, and once in a while a backup of gigabytes."""
        if service.protocol == TCP and self._rng.random() < _CHANCE_OF_BACKUP:
            packets = self._rng.randint(2_000_000, 4_000_000)
            return Sums(1, packets, packets * 1448)
        packets = max(1, int(service.packets * self._rng.random() ** 4))
        return Sums(1, packets, packets * self._rng.randint(60, 1500))

    def _client_port(self) -> int:
        return self._rng.randint(32768, 60999)

    def _end(self, interface: Interface, ipv6: bool) -> End:
        return End(self._rng.choice(interface.ipv6 if ipv6 else interface.ipv4), interface)

    def _internet(self, ipv6: bool) -> End:
        """Return an address from the networks that are kept for examples."""
        if ipv6:
            return End(f"2001:db8:{self._rng.randint(1, 0xFFFF):x}::{self._rng.randint(1, 0xFFFF):x}", place="internet")
        network = self._rng.choice(("192.0.2.", "198.51.100.", "203.0.113."))
        return End(network + str(self._rng.randint(1, 254)), place="internet")


def peer_class(interface: Interface, other: End) -> str:
    """Return what the other end is, seen from `interface`."""
    if other.interface is None:
        return other.place
    if other.interface.subnet == interface.subnet:
        return "same_subnet"
    return "same_zone" if other.interface.subnet.zone_id == interface.subnet.zone_id else "cross_zone"


def _empty(interface: Interface, status: str, now: int) -> Record:
    """Return a line without traffic."""
    start = now - AGGREGATION_INTERVAL
    line = f"2 {interface.account_id} {interface.id} - - - - - - - {start} {now} - {status}"
    return Record(interface, line, start, status.lower())
