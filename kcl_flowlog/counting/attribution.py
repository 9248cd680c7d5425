"""Where a record is counted: for one subnet, in one direction, with one class of peer, path and type of interface.

A record counts once, for the subnet of the interface that recorded it.
Traffic inside a VPC is recorded at both its ends, so looking up both
addresses of a record would count it twice. If nothing tells the subnet, the
answer is None, never a guess.

Knows the inventory's index and what records tell of other interfaces. Does no
I/O and holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import IDS, NO_VALUE
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import EGRESS, UNKNOWN, KnownInterface
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.paths import path_of
from kcl_flowlog.counting.peers import INTERNET, SAME_SUBNET, Peers, public_peer
from kcl_flowlog.counting.prefixes import pack
from kcl_flowlog.counting.unlisted_interfaces import UnlistedInterfaces
from kcl_flowlog.errors import Malformed

_CACHE_SIZE = 32_768
"""Most addresses, peers and interface ids in memory at a time: some tens of megabytes at worst."""
# Of one batch; a flood of made-up interfaces must not fill the memory.
_MOST_UNKNOWN = 1000


class Place(NamedTuple):
    """Where a record is counted: the labels that do not stand in the record itself."""

    subnet_id: str
    direction: str
    peer: str
    path: str = UNKNOWN
    interface_type: str = UNKNOWN


class Attributor:
    """Finds the place of each record in the inventory's index.

    `unknown_interfaces` collects the ids that the inventory lacks, each once,
    to be looked up, some hundreds at most; the caller clears it after it has
    asked for that.
    """

    def __init__(self, index: Index, cache_size: int = _CACHE_SIZE) -> None:
        self.unknown_interfaces: set[str] = set()
        self._cache_size = cache_size
        self._unlisted = UnlistedInterfaces(index)
        self.packed = BoundedCache(_pack_or_refuse, cache_size)
        self._use(index)
        # Interfaces that were in `unknown_interfaces`; EC2 may not know them either.
        self._reported = BoundedCache(self._report, cache_size)

    def use(self, index: Index) -> None:
        """Use a newer inventory; what was learned of interfaces stays."""
        self._unlisted.use(index)
        self._use(index)

    def learn(self, records: Iterable[FlowRecord], log_stream: LogStream) -> bool:
        """Learn the addresses of interfaces that the inventory lacks; tell whether anything was new."""
        is_new = False
        listed = self.listed
        for record in records:
            if listed[record.interface_id] is not None:
                continue
            interface_id = self._interface_of(record, log_stream)
            if listed[interface_id] is not None:
                continue
            # Without an interface nothing tells which of the two ends has recorded it.
            if not IDS["interface"](interface_id):
                continue
            if self.index.lists_interfaces:
                _ = self._reported[interface_id]  # reports it, but only once
            try:
                source, destination = self.packed[record.srcaddr], self.packed[record.dstaddr]
            except Malformed:
                continue  # `locate` raises it
            is_new |= self._unlisted.learn(interface_id, source, destination, record.flow_direction)
        return is_new

    def is_undecided(self, record: FlowRecord, log_stream: LogStream) -> bool:
        """Tell whether further records of its interface may yet show where this record belongs."""
        interface_id = self._interface_of(record, log_stream)
        return interface_id not in self.index.interfaces and self._unlisted.is_undecided(interface_id)

    def locate(self, record: FlowRecord, log_stream: LogStream) -> Place | None:
        """Return the place of a record, or None if its subnet is not known.

        Raises `Malformed` if an address or an id is not valid.
        """
        packed = self.packed
        source, destination = packed[record.srcaddr], packed[record.dstaddr]
        interface = self.listed[record.interface_id]
        if interface is None or record.subnet_id not in (NO_VALUE, interface.subnet_id):
            interface = self._find_interface(record, log_stream, source, destination)
            if interface is None:
                return None
        direction = record.flow_direction
        if direction == UNKNOWN:
            direction = interface.direction(source, destination)
        if direction == UNKNOWN:
            peer = self._peer_of_either(record, interface)
            return Place(interface.subnet_id, direction, peer, UNKNOWN, interface.interface_type)
        return self.place(
            interface,
            direction,
            source,
            destination,
            record.pkt_srcaddr,
            record.pkt_dstaddr,
            record.pkt_src_aws_service,
            record.pkt_dst_aws_service,
            record.traffic_path,
        )

    def place(
        self,
        interface: KnownInterface,
        direction: str,
        source: bytes | None,
        destination: bytes | None,
        packet_source: str,
        packet_destination: str,
        source_service: str,
        destination_service: str,
        traffic_path: str,
    ) -> Place:
        """Return the place of a record of an interface whose direction is known. Raises `Malformed`."""
        # Behind a NAT gateway or a load balancer the address of the packet tells the peer.
        if direction == EGRESS:
            end = destination if packet_destination == NO_VALUE else self.packed[packet_destination]
            service, path = destination_service, path_of(traffic_path)
        else:
            end = source if packet_source == NO_VALUE else self.packed[packet_source]
            service, path = source_service, UNKNOWN
        peer = UNKNOWN if end is None else self.peers.find(interface.subnet_id, interface.vpc_id, end)
        if peer == INTERNET:
            peer = public_peer(service)
        # As `Place(…)`, which is slower.
        return tuple.__new__(Place, (interface.subnet_id, direction, peer, path, interface.interface_type))

    def _use(self, index: Index) -> None:
        self.index = index
        self.listed = index.interfaces.by_id
        self.peers = Peers(index, self._cache_size)

    def _peer_of_either(self, record: FlowRecord, interface: KnownInterface) -> str:
        """Return the peer of a record without direction, which is certain only if all addresses are in the subnet."""
        ends = {record.srcaddr, record.dstaddr}
        if NO_VALUE in ends:
            return UNKNOWN
        packed = map(self.packed.__getitem__, ends | ({record.pkt_srcaddr, record.pkt_dstaddr} - {NO_VALUE}))
        peers = {self.peers.find(interface.subnet_id, interface.vpc_id, address) for address in packed if address}
        return SAME_SUBNET if peers == {SAME_SUBNET} else UNKNOWN

    def _find_interface(
        self, record: FlowRecord, log_stream: LogStream, source: bytes | None, destination: bytes | None
    ) -> KnownInterface | None:
        """Return the interface that has recorded a record, None if its subnet is not known."""
        interface_id = self._interface_of(record, log_stream)
        listed = self.index.interfaces.get(interface_id)
        if listed is not None and record.subnet_id in (NO_VALUE, listed.subnet_id):
            return listed
        self._check_ids(record)
        ends = frozenset(end for end in (source, destination) if end is not None)
        if record.subnet_id != NO_VALUE:
            subnet = self.index.subnets.get(record.subnet_id)
            vpc_id = record.vpc_id if subnet is None else subnet.vpc_id
            if listed is not None:
                return KnownInterface(record.subnet_id, vpc_id, listed.addresses, None, listed.interface_type)
            return self._unlisted.find_in_subnet(interface_id, record.subnet_id, vpc_id, ends)
        return self._unlisted.find(interface_id, record.vpc_id, log_stream, ends)

    def _interface_of(self, record: FlowRecord, log_stream: LogStream) -> str:
        """Return the interface of a record, or else the interface that its log stream is named after, or `-`."""
        if record.interface_id != NO_VALUE:
            return record.interface_id
        named = log_stream.interface_id
        return named if named in self.index.interfaces or IDS["interface"](named) else NO_VALUE

    def _check_ids(self, record: FlowRecord) -> None:
        """Raise `Malformed` if an id that EC2 did not name is not like an id: it may become a label, or a key."""
        index = self.index
        if record.subnet_id != NO_VALUE and not index.lists_subnet(record.subnet_id):
            _check("subnet", record.subnet_id)
        if record.vpc_id != NO_VALUE and not index.lists_vpc(record.vpc_id):
            _check("vpc", record.vpc_id)
        if record.interface_id != NO_VALUE and record.interface_id not in index.interfaces:
            _check("interface", record.interface_id)

    def _report(self, interface_id: str) -> None:
        if len(self.unknown_interfaces) < _MOST_UNKNOWN:
            self.unknown_interfaces.add(interface_id)


def _check(kind: str, value: str) -> None:
    if not IDS[kind](value):
        raise Malformed(f"bad_{kind}")


def _pack_or_refuse(address: str) -> bytes | None:
    """Return a packed address, None for `-`. Raises `Malformed` if it is not valid."""
    packed = pack(address)
    if packed is None and address != NO_VALUE:
        raise Malformed("bad_address")
    return packed
