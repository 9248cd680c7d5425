"""Where a record is counted: for one subnet, in one direction, with one class of peer.

The rule: a record counts once, for the subnet of the interface that recorded
it. Traffic inside a VPC is recorded at both its ends; looking up both
addresses of a record would count it twice. Where nothing tells the subnet,
the answer is None, never a guess.

Knows the inventory's index and what it has learned of interfaces that the
inventory lacks; it does no I/O and holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kcl_flowlog.errors import Malformed
from kcl_flowlog.flowlog import NONE, FlowRecord
from kcl_flowlog.subnets import Index, Prefixes, Station, Subnet, pack

INGRESS = "ingress"
EGRESS = "egress"
UNKNOWN = "unknown"

# The classes of peers, for the metrics' label and the documentation.
PEERS = {
    "same_subnet": "Another address of the same subnet.",
    "same_zone": "Another subnet of the inventory, in the same availability zone.",
    "cross_zone": "A subnet of the inventory in another availability zone.",
    "private": "A private address outside the inventory: RFC 1918, RFC 6598, unique local or link-local.",
    "internet": "A public address.",
    "unknown": "The other end is not known, or is no host (multicast, broadcast, loopback, reserved).",
}

# What is neither a subnet's nor public. IANA's special-purpose address registries name the blocks.
_SPECIAL = Prefixes(
    [
        *((block, "private") for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
        *((block, "private") for block in ("169.254.0.0/16", "fc00::/7", "fe80::/10")),
        *((block, UNKNOWN) for block in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")),
        *((block, UNKNOWN) for block in ("::/127", "ff00::/8")),
    ]
)

_MOST_REMEMBERED = 65_536
"""Most addresses, and most learned interfaces, held at a time: some tens of megabytes at worst."""


class Place(NamedTuple):
    """Where a record is counted."""

    subnet_id: str
    direction: str
    peer: str


class Attributor:
    """Finds the place of each record, by the index of the inventory.

    `unknown_interfaces` gathers the ids that the inventory lacks, for an
    early refresh; whoever asks for one clears the set.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._packed: dict[str, bytes | None] = {NONE: None}
        self._peers: dict[tuple[str, bytes], str] = {}
        self._candidates: dict[str, frozenset[bytes]] = {}
        self.unknown_interfaces: set[str] = set()

    def use(self, index: Index) -> None:
        """Go on with a newer inventory; what was learned of interfaces stays."""
        self._index = index
        self._peers.clear()

    def learn(self, records: Iterable[FlowRecord], log_stream: str) -> None:
        """Learn the own addresses of interfaces that the inventory lacks.

        An interface's own address is the one common to all of its records.
        """
        for record in records:
            interface_id = _interface_of(record, log_stream)
            if interface_id == NONE or interface_id in self._index.stations:
                continue
            self.unknown_interfaces.add(interface_id)
            if len(self.unknown_interfaces) > _MOST_REMEMBERED:
                self.unknown_interfaces.clear()
            try:
                ends = _known(self._pack(record.srcaddr), self._pack(record.dstaddr))
            except Malformed:
                continue  # `locate` will say so
            known = self._candidates.get(interface_id)
            # A record between two other addresses (a secondary one, say) must not make us forget what we learned.
            common = ends if known is None else (known & ends) or known
            if known is None and len(self._candidates) >= _MOST_REMEMBERED:
                self._candidates.pop(next(iter(self._candidates)))
            self._candidates[interface_id] = common

    def locate(self, record: FlowRecord, log_stream: str) -> Place | None:
        """Return the place of a record of `log_stream`, or None where its subnet stays unknown.

        Raises `Malformed` for an address that is none.
        """
        source = self._pack(record.srcaddr)
        destination = self._pack(record.dstaddr)
        station = self._station(record, log_stream, source, destination)
        if station is None:
            return None
        direction = record.direction
        if direction == UNKNOWN:
            direction = _direction(source, destination, station.addresses)
        if direction == UNKNOWN:
            return Place(station.subnet_id, direction, UNKNOWN)
        other = destination if direction == EGRESS else source
        return Place(station.subnet_id, direction, self._peer(station, other))

    def _station(
        self, record: FlowRecord, log_stream: str, source: bytes | None, destination: bytes | None
    ) -> Station | None:
        interface_id = _interface_of(record, log_stream)
        station = self._index.stations.get(interface_id)
        if station is not None and record.subnet_id in (NONE, station.subnet_id):
            return station
        own = self._own_addresses(interface_id, record, source, destination)
        if record.subnet_id != NONE:
            subnet = self._index.subnets.get(record.subnet_id)
            vpc_id = subnet.vpc_id if subnet is not None else record.vpc_id
            return Station(record.subnet_id, vpc_id, station.addresses if station is not None else own)
        if len(own) != 1:
            return None
        home = self._index.subnet_of(next(iter(own)), record.vpc_id)
        return None if home is None else Station(home.subnet_id, home.vpc_id, own)

    def _own_addresses(
        self, interface_id: str, record: FlowRecord, source: bytes | None, destination: bytes | None
    ) -> frozenset[bytes]:
        """Return the learned own address; where two are possible, the one that lies in a known subnet."""
        learned = self._candidates.get(interface_id)
        if learned is None:
            learned = _known(source, destination)
        if len(learned) == 1:
            return learned
        at_home = [end for end in learned if self._index.subnet_of(end, record.vpc_id) is not None]
        return frozenset(at_home) if len(at_home) == 1 else frozenset()

    def _peer(self, station: Station, other: bytes | None) -> str:
        if other is None:
            return UNKNOWN
        key = (station.subnet_id, other)
        peer = self._peers.get(key)
        if peer is None:
            if len(self._peers) >= _MOST_REMEMBERED:
                self._peers.clear()
            peer = self._peers[key] = self._peer_class(station, other)
        return peer

    def _peer_class(self, station: Station, other: bytes) -> str:
        there = self._index.subnet_of(other, station.vpc_id)
        if there is None:
            return _SPECIAL.find(other) or "internet"
        if there.subnet_id == station.subnet_id:
            return "same_subnet"
        here: Subnet | None = self._index.subnets.get(station.subnet_id)
        if here is None:
            return "private"
        return "same_zone" if there.availability_zone_id == here.availability_zone_id else "cross_zone"

    def _pack(self, address: str) -> bytes | None:
        """Return the packed address, None for `-`; raise `Malformed` for what is none."""
        try:
            return self._packed[address]
        except KeyError:
            packed = pack(address)
            if packed is None:
                raise Malformed("bad_address") from None
            if len(self._packed) >= _MOST_REMEMBERED:
                self._packed = {NONE: None}
            self._packed[address] = packed
            return packed


def _known(*ends: bytes | None) -> frozenset[bytes]:
    return frozenset(end for end in ends if end is not None)


def _interface_of(record: FlowRecord, log_stream: str) -> str:
    """Return the interface of the record, or else the one that its log stream is named by."""
    if record.interface_id != NONE:
        return record.interface_id
    head, _, rest = log_stream.partition("-")
    return f"{head}-{rest.partition('-')[0]}" if head == "eni" and rest else NONE


def _direction(source: bytes | None, destination: bytes | None, own: frozenset[bytes]) -> str:
    outbound, inbound = source in own, destination in own
    if outbound == inbound:
        return UNKNOWN
    return EGRESS if outbound else INGRESS
