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

from kcl_flowlog.counting.flow_record import NONE, FlowRecord
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.own_addresses import OwnAddresses
from kcl_flowlog.counting.subnets import EGRESS, UNKNOWN, Index, Prefixes, Station, Subnet, pack
from kcl_flowlog.errors import Malformed

# The classes of peers, for the metrics' label and the documentation.
PEERS = {
    "same_subnet": "Another address of the same subnet.",
    "same_zone": "Another subnet of the inventory, in the same availability zone.",
    "cross_zone": "A subnet of the inventory in another availability zone.",
    "private": "A private address outside the inventory: RFC 1918, RFC 6598, unique local or link-local.",
    "internet": "A public address.",
    "unknown": "The other end is not known, or is not a host (multicast, broadcast, loopback, reserved).",
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
"""Most addresses, and most interfaces that are not listed, held at a time: some tens of megabytes at worst."""


class Place(NamedTuple):
    """Where a record is counted."""

    subnet_id: str
    direction: str
    peer: str


class Attributor:
    """Finds the place of each record, by the index of the inventory.

    `unknown_interfaces` gathers the ids that the inventory lacks, each once,
    for an early refresh; whoever asks for one clears the set.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._packed: dict[str, bytes | None] = {NONE: None}
        self._peers: dict[tuple[str, bytes], str] = {}
        self._own = OwnAddresses()
        # What was found of interfaces that are not listed, until something new is learned of them.
        self._strangers: dict[tuple[str, str, LogStream], Station | None] = {}
        self._told: set[str] = set()
        self.unknown_interfaces: set[str] = set()

    def use(self, index: Index) -> None:
        """Go on with a newer inventory; what was learned of interfaces stays."""
        self.index = index
        self._peers.clear()
        self._strangers.clear()

    def learn(self, records: Iterable[FlowRecord], stream: LogStream) -> bool:
        """Learn the own addresses of interfaces that the inventory lacks; say whether anything was new."""
        learned = False
        for record in records:
            interface_id = _interface_of(record, stream)
            if interface_id == NONE or interface_id in self.index.stations:
                continue
            self._note_unknown(interface_id)
            try:
                source, destination = self._pack(record.srcaddr), self._pack(record.dstaddr)
            except Malformed:
                continue  # `locate` will say so
            if self._own.learn(interface_id, source, destination):
                self._strangers.clear()
                learned = True
        return learned

    def is_undecided(self, record: FlowRecord, stream: LogStream) -> bool:
        """Say whether further records of its interface may yet tell where this one belongs."""
        interface_id = _interface_of(record, stream)
        return interface_id not in self.index.stations and bool(self._own.undecided(interface_id))

    def locate(self, record: FlowRecord, stream: LogStream) -> Place | None:
        """Return the place of a record of a log stream, or None where its subnet stays unknown.

        Raises `Malformed` for an address that is none.
        """
        source = self._pack(record.srcaddr)
        destination = self._pack(record.dstaddr)
        station = self._station(record, stream, source, destination)
        if station is None:
            return None
        direction = record.direction
        if direction == UNKNOWN:
            direction = station.direction(source, destination)
        if direction == UNKNOWN:
            return Place(station.subnet_id, direction, UNKNOWN)
        # Behind a NAT gateway or a load balancer the packet's own end is the one that matters.
        if direction == EGRESS:
            far = destination if record.pkt_dstaddr == NONE else self._pack(record.pkt_dstaddr)
        else:
            far = source if record.pkt_srcaddr == NONE else self._pack(record.pkt_srcaddr)
        return Place(station.subnet_id, direction, self._peer(station, far))

    def _note_unknown(self, interface_id: str) -> None:
        if interface_id in self._told or not self.index.lists_interfaces:
            return
        if len(self._told) >= _MOST_REMEMBERED:
            self._told.clear()
        self._told.add(interface_id)
        self.unknown_interfaces.add(interface_id)

    def _station(
        self, record: FlowRecord, stream: LogStream, source: bytes | None, destination: bytes | None
    ) -> Station | None:
        interface_id = _interface_of(record, stream)
        station = self.index.stations.get(interface_id)
        if station is not None and record.subnet_id in (NONE, station.subnet_id):
            return station
        if record.subnet_id != NONE:
            return self._station_in(record, interface_id, station, source, destination)
        # Without an interface nothing tells which of the two ends has recorded it.
        return None if interface_id == NONE else self._stranger(interface_id, record.vpc_id, stream)

    def _station_in(
        self,
        record: FlowRecord,
        interface_id: str,
        listed: Station | None,
        source: bytes | None,
        destination: bytes | None,
    ) -> Station:
        """Return the station of a record that names its subnet, but whose interface is not listed there."""
        subnet = self.index.subnets.get(record.subnet_id)
        vpc_id = subnet.vpc_id if subnet is not None else record.vpc_id
        if listed is not None:
            return Station(record.subnet_id, vpc_id, listed.addresses)
        own = self._own.decided(interface_id)
        ends = {end for end in (source, destination) if end is not None}
        if subnet is not None and own.isdisjoint(ends):
            at_home = [end for end in ends if self.index.subnet_of(end, vpc_id) is subnet]
            own = frozenset(at_home) if len(at_home) == 1 else own
        return Station(record.subnet_id, vpc_id, own)

    def _stranger(self, interface_id: str, vpc_id: str, stream: LogStream) -> Station | None:
        """Return the station of an interface that is not listed, by what was learned of it."""
        key = (interface_id, vpc_id, stream)
        try:
            return self._strangers[key]
        except KeyError:
            if len(self._strangers) >= _MOST_REMEMBERED:
                self._strangers.clear()
            station = self._strangers[key] = self._find_stranger(interface_id, vpc_id, stream)
            return station

    def _find_stranger(self, interface_id: str, vpc_id: str, stream: LogStream) -> Station | None:
        own = self._own.decided(interface_id)
        pairs = self._own.undecided(interface_id)
        homes = [found[0] for address in own if len(found := self.index.homes_of(address, vpc_id, stream)) == 1]
        if not homes and (vpc_id != NONE or self.index.tells_scope_of(stream)):
            # Of two ends, the only one that may lie in the VPC, or in what the log group records, is the interface's.
            for pair in pairs:
                possible = [found for end in pair if (found := self.index.homes_of(end, vpc_id, stream))]
                homes += possible[0] if list(map(len, possible)) == [1] else []
        if not homes:
            return None
        home = homes[0]
        for pair in pairs:
            at_home = [end for end in pair if home in self.index.homes_of(end, home.vpc_id, stream)]
            own = own.union(at_home) if len(at_home) == 1 else own
        return Station(home.subnet_id, home.vpc_id, own)

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
        there = self.index.subnet_of(other, station.vpc_id)
        if there is None:
            return _SPECIAL.find(other) or "internet"
        if there.subnet_id == station.subnet_id:
            return "same_subnet"
        here: Subnet | None = self.index.subnets.get(station.subnet_id)
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


def _interface_of(record: FlowRecord, stream: LogStream) -> str:
    """Return the interface of the record, or else the one that its log stream is named by."""
    return stream.interface_id if record.interface_id == NONE else record.interface_id
