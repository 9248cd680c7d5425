"""Flow records: one line of a flow log, together with what the line must count as.

Each end of a flow writes its own line, as real flow logs do. The expected count
comes from the flow and never from the line. Pure, apart from the random windows
of time. It must not know the product's rules or code.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kcl_flowlog.demo.tally import NOTHING, SeriesKey, Sums, Tally
from kcl_flowlog.demo.world import Interface

AGGREGATION_INTERVAL = 60  # seconds

TCP, UDP, ICMP, ICMPV6, IPIP, SCTP = 6, 17, 1, 58, 4, 132
_PROTOCOL_LABELS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMPV6: "icmpv6"}


class End(NamedTuple):
    """One end of a flow.

    `address` is the address in the packets. `interface` is None outside the
    world; `peer_label` is then the label of such a peer.
    """

    address: str
    interface: Interface | None = None
    peer_label: str = ""

    @property
    def recorded_address(self) -> str:
        """The address in the records of the end's own interface: for IPv4 always the primary address."""
        if self.interface is None or ":" in self.address:
            return self.address
        return self.interface.ipv4[0]


class Flow(NamedTuple):
    """One direction of a conversation; `rejected_at` is "source", "target" or empty."""

    source: End
    target: End
    protocol: int
    source_port: int
    target_port: int
    sums: Sums
    rejected_at: str = ""


@dataclass(frozen=True)
class Record:
    """One line of a flow log and what it counts as.

    `start` is in Unix seconds, as in the line. `key` is None if the line has no
    traffic.
    """

    interface: Interface
    line: str
    start: int
    outcome: str
    key: SeriesKey | None = None
    sums: Sums = NOTHING

    def count_into(self, tally: Tally) -> None:
        """Add this record to `tally`."""
        tally.events[self.outcome] += 1
        if self.key is not None:
            tally.add_traffic(self.key, self.sums)


def records_of(flows: Iterable[Flow], now: int, rng: random.Random) -> list[Record]:
    """Return the records that the interfaces at both ends of `flows` write until `now` (Unix seconds)."""
    records = []
    for flow in flows:
        if flow.source.interface is not None:
            records.append(_egress_record(flow, flow.source.interface, now, rng))
        if flow.target.interface is not None and flow.rejected_at != "source":
            records.append(_ingress_record(flow, flow.target.interface, now, rng))
    return records


def record_without_traffic(interface: Interface, status: str, now: int) -> Record:
    """Return a NODATA or SKIPDATA line for the interval that ends at `now` (Unix seconds)."""
    start = now - AGGREGATION_INTERVAL
    line = f"2 {interface.account_id} {interface.id} - - - - - - - {start} {now} - {status}"
    return Record(interface, line, start, status.lower())


def peer_label(interface: Interface, peer: End) -> str:
    """Return the label of `peer`, seen from `interface`."""
    if peer.interface is None:
        return peer.peer_label
    if peer.interface.subnet == interface.subnet:
        return "same_subnet"
    return "same_zone" if peer.interface.subnet.zone_id == interface.subnet.zone_id else "cross_zone"


def _egress_record(flow: Flow, interface: Interface, now: int, rng: random.Random) -> Record:
    action = "reject" if flow.rejected_at == "source" else "accept"
    key = _key(flow, interface, "egress", action, flow.target)
    return _record(flow, key, interface, (flow.source.recorded_address, flow.target.address), now, rng)


def _ingress_record(flow: Flow, interface: Interface, now: int, rng: random.Random) -> Record:
    action = "reject" if flow.rejected_at == "target" else "accept"
    key = _key(flow, interface, "ingress", action, flow.source)
    return _record(flow, key, interface, (flow.source.address, flow.target.recorded_address), now, rng)


def _key(flow: Flow, interface: Interface, direction: str, action: str, peer: End) -> SeriesKey:
    return SeriesKey(
        subnet_id=interface.subnet.id,
        direction=direction,
        action=action,
        protocol=_PROTOCOL_LABELS.get(flow.protocol, "other"),
        peer=peer_label(interface, peer),
    )


def _record(
    flow: Flow, key: SeriesKey, interface: Interface, addresses: tuple[str, str], now: int, rng: random.Random
) -> Record:
    """Return one line; each interface has its own window, so the two ends of a flow differ in time."""
    start = now - rng.randint(10, AGGREGATION_INTERVAL)
    end = rng.randint(start, now)
    source, target = addresses
    line = (
        f"2 {interface.account_id} {interface.id} {source} {target} {flow.source_port} {flow.target_port} "
        f"{flow.protocol} {flow.sums.packets} {flow.sums.bytes} {start} {end} {key.action.upper()} OK"
    )
    return Record(interface, line, start, "counted", key, flow.sums)
