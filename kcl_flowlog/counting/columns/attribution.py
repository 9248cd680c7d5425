"""The direction and the peer of all records of a block, as `attribution.Attributor.locate` finds them one by one.

A record is decided here if its interface is listed, exactly one end is an address of the interface, and the other end
is an address, each in its canonical text. Every other record is left to `locate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kcl_flowlog.counting.columns import words
from kcl_flowlog.counting.columns.fields import Fields
from kcl_flowlog.counting.columns.interfaces import (
    DASH_COLUMN,
    IPV4_WORDS,
    SAME_SUBNET_CLASS,
    Column,
    Interfaces,
    ListedInterface,
    column_of,
    columns_of,
    spaced,
    spread,
)
from kcl_flowlog.counting.columns.known_addresses import IPV6_WORDS, NOT_IPV4
from kcl_flowlog.counting.columns.networks import UNREADABLE
from kcl_flowlog.counting.columns.sums import PEER_NAMES
from kcl_flowlog.counting.columns.text import WORD, Flags, Integers, Lines, Words
from kcl_flowlog.counting.intervals import SHARED
from kcl_flowlog.counting.peers import AWS_OTHER, INTERNET, PEER_OF_SERVICE

_EGRESS, _UNKNOWN = 1, 2
_INTERNET, _AWS_OTHER = PEER_NAMES.index(INTERNET), PEER_NAMES.index(AWS_OTHER)
_SERVICES = [(spaced(word, 2), PEER_NAMES.index(peer)) for word, peer in PEER_OF_SERVICE.items()]


class Ends:
    """The two ends of each record. Clears `decided` of records that are not decided here."""

    def __init__(
        self,
        lines: Lines,
        fields: Fields,
        interfaces: Interfaces,
        listed: Sequence[ListedInterface],
        of_line: Integers,
        decided: Flags,
    ) -> None:
        """`of_line` is the place of each line's interface in `listed`."""
        self._lines = lines
        self._fields = fields
        self._interfaces = interfaces
        self._listed = listed
        self._of_line = of_line
        self._decided = decided
        self._sources = lines.ends(fields.srcaddr)
        self._targets = lines.ends(fields.dstaddr)
        # The last words of all ends are used again, to find the codes of peers.
        self.source_tails = lines.tails(self._sources, IPV4_WORDS)
        self.target_tails = lines.tails(self._targets, IPV4_WORDS)
        columns = columns_of([each.ipv4 for each in listed], of_line, IPV4_WORDS)
        self._from_own, self._to_own = _are_own(columns, self.source_tails, self.target_tails)
        # Records that IPv4 addresses alone do not decide; the ends of no other are compared with IPv6 addresses.
        self._may_be_ipv6 = (self._from_own == self._to_own) & decided
        self._compare_ipv6(np.flatnonzero(self._may_be_ipv6))
        self.is_egress = self._find_direction()
        # Where the other end that counts stands in each line, and its last words, once `find_peers` has found it.
        self.peer_ends = self.peer_widths = self._sources
        self.peer_tails = self.source_tails

    def find_peers(self) -> Integers:
        """Return the class of each record's other end, by its place in `PEERS`."""
        codes = self._find_codes()
        subnets = spread([each.subnet for each in self._listed], self._of_line)
        zones = spread([each.zone * self._interfaces.zone_count for each in self._listed], self._of_line)
        zones += self._interfaces.zone_of_code.take(codes, mode="clip")
        peers = np.where(codes == subnets, SAME_SUBNET_CLASS, self._interfaces.classes.take(zones))
        self._tell_services(peers)
        return peers

    def find_ways(self) -> Integers:
        """Return the direction of each record, with its path, by its place in `sums.WAYS`."""
        field = self._fields.traffic_path
        if field is None:
            return self.is_egress * words.UNKNOWN_WAY
        return self.is_egress * words.which(self._lines, field, words.WAY_NUMBERS, words.OTHER_WAY)

    def _tell_services(self, peers: Integers) -> None:
        """Tell the AWS services among public addresses."""
        fields = self._fields
        if fields.pkt_dst_aws_service is None and fields.pkt_src_aws_service is None:
            return
        rows = np.flatnonzero(peers == _INTERNET)
        nothing = np.zeros(self._lines.count, np.int64)
        ends = np.where(
            self.is_egress,
            self._ends(fields.pkt_dst_aws_service, nothing),
            self._ends(fields.pkt_src_aws_service, nothing),
        )[rows]
        rows, ends = rows[ends > 0], ends[ends > 0]
        tails = self._lines.tails(ends, max(len(text) // WORD for text, _ in _SERVICES))
        found = np.full(len(rows), _AWS_OTHER)
        for text, peer in _SERVICES:
            found[column_of([text], rows).equals(tails[: len(text) // WORD])] = peer
        peers[rows] = found

    def _compare_ipv6(self, rows: Integers) -> None:
        """Compare the ends of some records with the IPv6 addresses of their interface."""
        ipv6 = [each.ipv6 for each in self._listed]
        if not len(rows) or not any(ipv6):
            return
        sources = self._lines.tails(self._sources[rows], IPV6_WORDS)
        targets = self._lines.tails(self._targets[rows], IPV6_WORDS)
        from_own, to_own = _are_own(columns_of(ipv6, self._of_line[rows], IPV6_WORDS), sources, targets)
        self._from_own[rows] |= from_own
        self._to_own[rows] |= to_own

    def _find_direction(self) -> Flags:
        is_one_sided = self._from_own ^ self._to_own
        field = self._fields.flow_direction
        if field is None:
            self._decided &= is_one_sided
            return self._from_own
        stated = words.which(self._lines, field, words.DIRECTION_NUMBERS)
        is_stated = stated != _UNKNOWN
        is_egress = np.where(is_stated, stated == _EGRESS, self._from_own)
        own = np.where(is_egress, self._from_own, self._to_own)
        self._decided &= np.where(is_stated, own, is_one_sided) & (stated != words.UNDECIDED)
        return is_egress

    def _find_codes(self) -> Integers:
        """Return the code of each record's other end. Behind a NAT gateway the address of the packet counts."""
        known = self._interfaces.known_ipv4
        lines, fields, is_egress = self._lines, self._fields, self.is_egress
        ends = np.where(is_egress, self._targets, self._sources)
        widths = ends - np.where(is_egress, lines.starts(fields.dstaddr), lines.starts(fields.srcaddr)) - 1
        tails = [*map(np.where, (is_egress, is_egress), self.target_tails, self.source_tails)]
        codes = known.find(widths, *tails)
        are_ipv4 = codes != NOT_IPV4
        packets = self._packets()
        self.peer_ends, self.peer_widths, self.peer_tails = ends, widths, tails
        if packets is not None:
            packet_ends, packet_widths, has_packet = packets
            packet_tails = lines.tails(packet_ends, IPV4_WORDS)
            inside = known.find(packet_widths, *packet_tails)
            codes = np.where(has_packet, inside, codes)
            are_ipv4 &= (inside != NOT_IPV4) | ~has_packet
            self.peer_ends = np.where(has_packet, packet_ends, ends)
            self.peer_widths = np.where(has_packet, packet_widths, widths)
            self.peer_tails = [*map(np.where, (has_packet, has_packet), packet_tails, tails)]
        shared = np.flatnonzero(codes == SHARED)
        if len(shared):
            vpcs = spread([each.vpc for each in self._listed], self._of_line[shared])
            codes[shared] = known.settle(lines, self.peer_ends[shared], self.peer_widths[shared], vpcs)
        rest = np.flatnonzero(~are_ipv4 & self._decided)
        if len(rest):
            codes[rest] = self._find_ipv6(rest, ends, widths, packets)
        self._decided &= are_ipv4 | (codes != UNREADABLE)
        return codes

    def _packets(self) -> tuple[Integers, Integers, Flags] | None:
        """Return ends and widths of the fields for the address of the packet, and which hold one.

        None if the format has no such fields. A missing field is replaced by the other end itself.
        """
        fields = self._fields
        if fields.pkt_dstaddr is None and fields.pkt_srcaddr is None:
            return None
        target, source = fields.pkt_dstaddr or fields.dstaddr, fields.pkt_srcaddr or fields.srcaddr
        found = np.where(self.is_egress, self._lines.ends(target), self._lines.ends(source))
        widths = np.where(self.is_egress, self._lines.widths(target), self._lines.widths(source))
        return found, widths, ~DASH_COLUMN.equals(self._lines.tails(found, 1))

    def _ends(self, field: int | None, otherwise: Integers) -> Integers:
        return otherwise if field is None else self._lines.ends(field)

    def _find_ipv6(
        self, rows: Integers, ends: Integers, widths: Integers, packets: tuple[Integers, Integers, Flags] | None
    ) -> Integers:
        """Return the codes of ends that are not IPv4, `UNREADABLE` if that is not certain."""
        codes = self._read_ipv6(rows, ends[rows], widths[rows])
        codes[~self._may_be_ipv6[rows]] = UNREADABLE
        if packets is not None:
            packet_ends, packet_widths, has_packet = packets
            inside = self._read_ipv6(rows, packet_ends[rows], packet_widths[rows])
            codes = np.where(has_packet[rows] & (codes != UNREADABLE), inside, codes)
        return codes

    def _read_ipv6(self, rows: Integers, ends: Integers, widths: Integers) -> Integers:
        """Return the codes of the addresses with these ends and widths, of some records."""
        of_line = self._of_line[rows]
        find = self._interfaces.networks.find_ipv6

        def compute(new: Integers) -> Integers:
            vpc_ids = [self._listed[place].vpc_id for place in of_line[new].tolist()]
            texts = self._lines.fields(ends[new])
            return np.array([find(text, vpc_id) for text, vpc_id in zip(texts, vpc_ids, strict=True)], np.int64)

        tails = self._lines.tails(ends, IPV6_WORDS)
        vpcs = spread([each.vpc for each in self._listed], of_line)
        return self._interfaces.known_ipv6.find(tails, widths, vpcs, compute)


def _are_own(columns: Sequence[Column], sources: Sequence[Words], targets: Sequence[Words]) -> tuple[Flags, Flags]:
    """Tell which sources and which destinations are equal to any of their line's texts."""
    from_own, to_own = np.zeros(len(sources[0]), np.bool_), np.zeros(len(sources[0]), np.bool_)
    for column in columns:
        from_own |= column.equals(sources)
        to_own |= column.equals(targets)
    return from_own, to_own
