"""Ordinary lines, counted in one pass without an object for each: flow records of interfaces that the inventory lists.

Counts a line only if it has one possible format, its fields are valid, and it is certain which end is the interface's.
Leaves every other event to `line_by_line`, of which this is a short cut: it counts the same. Holds a bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.flow_record import (
    ACTION_OF,
    DIRECTION_OF,
    MAX_DIGITS,
    NUMBERS,
    OK,
    PROTOCOL_OF,
    SECONDS,
    read_number,
)
from kcl_flowlog.counting.formats import MAX_LENGTH, Formats, LineReader
from kcl_flowlog.counting.known_interface import EGRESS, INGRESS, UNKNOWN, KnownInterface
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.peers import SAME_SUBNET
from kcl_flowlog.counting.tally import Tally
from kcl_flowlog.errors import Malformed

OTHER_PORT: Final = "other"
REJECT: Final = "reject"

_COMMON = (
    *("log-status", "interface-id", "srcaddr", "dstaddr", "dstport", "protocol", "packets", "bytes", "start", "end"),
    "action",
)
_FURTHER = (
    *("subnet-id", "flow-direction", "pkt-srcaddr", "pkt-dstaddr", "pkt-src-aws-service", "pkt-dst-aws-service"),
    "traffic-path",
)

_ACCEPTED, _REJECTED = "ACCEPT", "REJECT"
# The log statuses of a flow record; some formats lack the field.
_WITH_FLOW = frozenset((OK, NO_VALUE))

_Pick = Callable[[list[str]], Any]
_Labels = tuple[str, ...]
_LEFT: _Labels = (UNKNOWN, UNKNOWN, UNKNOWN)


class OrdinaryLines:
    """Counts ordinary lines. With `leaves_rejected`, none that is rejected, as somebody wants to see these in order."""

    def __init__(
        self, formats: Formats, attributor: Attributor, watched_ports: frozenset[str], leaves_rejected: bool
    ) -> None:
        self._formats = formats
        self._attributor = attributor
        self._watched_ports = watched_ports
        self._leaves_rejected = leaves_rejected
        # What picks the words of `_COMMON` from a line of a format, and of `_FURTHER`, if it has any of these.
        self._picks: dict[LineFormat, tuple[_Pick, _Pick | None]] = {}
        self._delta = Delta()
        # The cells of this delta.
        self._cells: dict[tuple[str, str], dict[_Labels, list[int]]] = {}

    def forget(self) -> None:
        """Forget the delta that was counted into."""
        self._delta, self._cells = Delta(), {}

    def count(self, events: Iterable[LogEvent | bytes], tally: Tally) -> list[LogEvent | bytes]:
        """Count events of a log stream; return those that are left."""
        # long because a call costs as much as three lines of this loop.
        attributor = self._attributor
        reader = self._formats.reader(tally.log_stream, attributor.index)
        listed, packed = attributor.listed, attributor.packed
        peer_ends, peer_classes = attributor.peers.ends, attributor.peers.classes
        leaves_rejected = self._leaves_rejected
        who = tally.delta.who
        carried, threshold = (who.carried, who.threshold) if who is not None else (0, 0)
        left: list[LogEvent | bytes] = []
        ends: list[int] = []
        word_count, pick, pick_further = 0, None, None
        last_interface_id, interface, subnet_id, vpc_id, own = "", None, "", "", frozenset[bytes]()
        for event in events:
            line = event.message if isinstance(event, LogEvent) else ""
            # The words of a long line would take much memory.
            words = line.split() if len(line) <= MAX_LENGTH else []
            if len(words) != word_count:
                word_count = len(words)
                pick, pick_further = self._pick(reader, word_count)
            if pick is None or line[0] == "{":
                left.append(event)
                continue
            words.append(NO_VALUE)
            status, interface_id, from_, to, port, protocol, packets, octets, start, end, action = pick(words)
            if interface_id != last_interface_id:
                last_interface_id, interface = interface_id, listed[interface_id]
                if interface is not None:
                    subnet_id, vpc_id, own = interface.subnet_id, interface.vpc_id, interface.addresses
                    cells = self._cells_of(subnet_id, interface.interface_type, tally.delta)
            if status not in _WITH_FLOW or interface is None or (leaves_rejected and action == _REJECTED):
                left.append(event)
                continue
            try:
                packets, _, end = NUMBERS[packets], SECONDS[start], SECONDS[end]
                # Faster than `read_number`.
                is_digits = octets.isdigit() and octets.isascii() and len(octets) <= MAX_DIGITS
                octets = int(octets) if is_digits else read_number(octets)
                source, target = packed[from_], packed[to]
                if pick_further is None:
                    is_egress = source in own
                    if is_egress != (target in own):
                        direction = EGRESS if is_egress else INGRESS
                    else:
                        direction = interface.direction(source, target)
                    path = UNKNOWN
                    other = target if direction == EGRESS else source
                    if other is None:
                        peer = UNKNOWN
                    else:
                        # As `Peers.find`.
                        peer_subnet_id, zone = peer_ends[vpc_id, other]
                        peer = SAME_SUBNET if peer_subnet_id == subnet_id else peer_classes[subnet_id, zone]
                else:
                    further = pick_further(words)
                    direction, peer, path = self._place(interface, source, target, *further)
                # Each action has one word, so there are no more cells than series.
                protocol = PROTOCOL_OF[protocol]
                key = (direction, action, protocol, peer, path)
                cell = cells.get(key)
                if cell is None and direction != UNKNOWN:
                    labels = (direction, ACTION_OF[action], protocol, peer, path)
                    cell = cells[key] = tally.delta.cell(Traffic(subnet_id, *labels, interface.interface_type))
            except Malformed:
                cell = None
            if cell is None:
                left.append(event)
                continue
            cell[0] += 1
            cell[1] += packets
            cell[2] += octets
            ends.append(end)
            if who is not None:
                # As `who_of_record.collect`, since a call for each costs a tenth.
                carried += octets
                if carried >= threshold:
                    who.carried = carried - octets
                    if who.is_wanted(octets) and action == _ACCEPTED:
                        is_egress = direction == EGRESS
                        other_end = NO_VALUE if pick_further is None else further[2 + is_egress]
                        if other_end == NO_VALUE:
                            other_end = to if is_egress else from_
                        if other_end != NO_VALUE:
                            who.add_accept(subnet_id, is_egress, other_end, octets)
                    carried, threshold = who.carried, who.threshold
            if action == _REJECTED:
                label = port if port in self._watched_ports else OTHER_PORT
                tally.delta.rejected_ports[RejectedPort(subnet_id, direction, protocol, label)] += 1
                if who is not None:
                    who.add_reject(subnet_id, from_, to, protocol, port)
        if who is not None:
            who.carried = carried
        if ends:
            tally.events[outcomes.COUNTED] += len(ends)
            tally.ends += ends
        return left

    def _place(self, interface: KnownInterface, source: bytes | None, target: bytes | None, *words: str) -> _Labels:
        """Return direction, peer and path by the words of `_FURTHER`; the direction is unknown for a line to be left.

        Raises `Malformed`.
        """
        subnet_id, stated, packet_source, packet_target, source_service, target_service, traffic_path = words
        direction = DIRECTION_OF[stated]
        if subnet_id not in (NO_VALUE, interface.subnet_id) or source is target is None:
            return _LEFT
        if direction == UNKNOWN:
            direction = interface.direction(source, target)
        if direction == UNKNOWN:
            return _LEFT
        found = self._attributor.place(
            interface,
            direction,
            source,
            target,
            packet_source,
            packet_target,
            source_service,
            target_service,
            traffic_path,
        )
        return direction, found.peer, found.path

    def _pick(self, reader: LineReader, word_count: int) -> tuple[_Pick | None, _Pick | None]:
        """Return what picks words from lines with this number of words, None if these must be left."""
        line_format = reader.only_format(word_count)
        if line_format is None:
            return None, None
        if line_format not in self._picks:
            names = line_format.fields
            self._picks[line_format] = (
                line_format.picker(_COMMON),
                None if set(names).isdisjoint(_FURTHER) else line_format.picker(_FURTHER),
            )
        return self._picks[line_format]

    def _cells_of(self, subnet_id: str, interface_type: str, delta: Delta) -> dict[_Labels, list[int]]:
        """Return the cells of a subnet and a type of interfaces, by the other labels; the action is its word."""
        if delta is not self._delta:
            self._delta, self._cells = delta, {}
        return self._cells.setdefault((subnet_id, interface_type), {})
