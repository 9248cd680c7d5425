"""Who sent a single record, for the collector of `counting.who`: as `columns.who` finds it for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.known_interface import EGRESS, UNKNOWN

if TYPE_CHECKING:
    from kcl_flowlog.counting.who.collector import Collector


# A call with names would take as long as the rest.
def collect(
    collector: Collector,
    subnet_id: str,
    direction: str,
    action: str,
    source: str,
    destination: str,
    packet_source: str,
    packet_destination: str,
    protocol: str,
    port: str,
    octets: int,
) -> None:
    """Add a record that counts for a subnet, and whose addresses are valid; without an address, it is left out."""
    is_wanted = collector.is_wanted(octets)
    if action == "reject":
        collector.add_reject(subnet_id, source, destination, protocol, port)
    elif is_wanted and action == "accept" and direction != UNKNOWN:
        is_egress = direction == EGRESS
        of_packet, of_line = (packet_destination, destination) if is_egress else (packet_source, source)
        peer = of_line if of_packet == NO_VALUE else of_packet
        if peer != NO_VALUE:
            collector.add_accept(subnet_id, is_egress, peer, octets)
