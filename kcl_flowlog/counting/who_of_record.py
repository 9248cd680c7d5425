"""Who sent a single record, for the collector of `counting.who`: as `columns.who` finds it for many."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.known_interface import EGRESS, UNKNOWN

if TYPE_CHECKING:
    from kcl_flowlog.counting.who.collector import Collector


def collect(record: FlowRecord, subnet_id: str, direction: str, collector: Collector) -> None:
    """Add a record that counts for a subnet, and whose addresses are valid; those that are missing leave it out."""
    if record.action == "reject":
        source, destination = _canonical(record.srcaddr), _canonical(record.dstaddr)
        if NO_VALUE not in (source, destination):
            collector.add_reject(subnet_id, source, destination, record.protocol, record.dstport)
    elif record.action == "accept" and direction != UNKNOWN:
        is_egress = direction == EGRESS
        of_packet, of_line = (record.pkt_dstaddr, record.dstaddr) if is_egress else (record.pkt_srcaddr, record.srcaddr)
        peer = _canonical(of_line if of_packet == NO_VALUE else of_packet)
        if peer != NO_VALUE:
            collector.add_accept(subnet_id, is_egress, peer, record.bytes)


def _canonical(address: str) -> str:
    """Return the canonical text of an address; an IPv4 address has no other."""
    if ":" not in address:
        return address
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))
