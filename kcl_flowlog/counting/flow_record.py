"""A flow log record: the fields that are counted, converted from the words of a line.

`FlowRecord` alone says which fields are used and in which order; everything
else here derives from it. Knows nothing of lines, subnets or counters. A
value that does not fit its field raises `Malformed` with a reason of
`outcomes.MALFORMED_REASONS`; half a record is never returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kcl_flowlog.counting.bounded_cache import BoundedCache
from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.errors import Malformed

OK = "OK"
NODATA = "NODATA"
SKIPDATA = "SKIPDATA"

# The IANA numbers that the metrics show by name; see docs/metrics.md.
PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmpv6"}
OTHER_PROTOCOL = "other"

ACTIONS = {"ACCEPT": "accept", "REJECT": "reject", NO_VALUE: "unknown"}
DIRECTIONS = {"ingress": "ingress", "egress": "egress", NO_VALUE: "unknown"}

# Longer numbers can't be true (a petabyte in one interval) and could overflow a total.
MAX_DIGITS = 15
_MILLISECONDS = 100_000_000_000
# The end of the year 9999, the last that can be written as a date.
_LAST_SECOND = 253_402_300_799
# Most numbers in memory at a time, as a text is found faster than converted.
_MAX_NUMBERS = 4096


class FlowRecord(NamedTuple):
    """The fields of a line that are used, each named after its field: `pkt_srcaddr` holds `pkt-srcaddr`.

    A text field that is missing is `-`. `packets` and `bytes` are 0 if AWS
    gives none, as for the rejects of Block Public Access. `start` and `end`
    are Unix seconds, 0 if missing. `protocol`, `action` and `flow_direction`
    are values of the metrics' labels. Ids are not checked here: whether an
    id is valid depends on the inventory.
    """

    log_status: str
    interface_id: str
    subnet_id: str
    vpc_id: str
    srcaddr: str
    dstaddr: str
    srcport: str
    dstport: str
    protocol: str
    packets: int
    bytes: int
    start: int
    end: int
    action: str
    flow_direction: str
    reject_reason: str
    pkt_srcaddr: str
    pkt_dstaddr: str
    pkt_src_aws_service: str
    pkt_dst_aws_service: str
    traffic_path: str

    @property
    def is_possible(self) -> bool:
        """False if the flow ends before it begins, or a packet has less than a byte."""
        return (not self.end or self.start <= self.end) and (not self.bytes or self.packets <= self.bytes)


USED_FIELDS = tuple(name.replace("_", "-") for name in FlowRecord._fields)
"""The names of the used fields in AWS's formats, in the order of `FlowRecord`."""

WITHOUT_FLOW = {
    status: FlowRecord._make(
        [status, *[NO_VALUE] * 7, OTHER_PROTOCOL, 0, 0, 0, 0, "unknown", "unknown", *[NO_VALUE] * 6]
    )
    for status in (NODATA, SKIPDATA)
}
"""The records of lines without a flow: of their fields only the log status is read, whatever the others hold."""


class _Words(dict[str, str]):
    """The words that a field may hold, each with its meaning; any other raises `Malformed`."""

    def __init__(self, reason: str, words: Mapping[str, str]) -> None:
        super().__init__(words)
        self._reason = reason

    def __missing__(self, word: str) -> str:
        raise Malformed(self._reason)


def read_number(text: str) -> int:
    """Return a number, 0 for a missing value. Raises `Malformed`."""
    if text == NO_VALUE:
        return 0
    if text.isdigit() and text.isascii() and len(text) <= MAX_DIGITS:
        return int(text)
    raise Malformed("bad_number")


def _seconds(text: str) -> int:
    """Return Unix seconds; some senders write milliseconds."""
    number = read_number(text)
    seconds = number // 1000 if number >= _MILLISECONDS else number
    if seconds > _LAST_SECOND:
        raise Malformed("bad_number")
    return seconds


# The lines of an envelope share a few times, and most flows have few packets.
SECONDS = BoundedCache(_seconds, _MAX_NUMBERS)
NUMBERS = BoundedCache(read_number, _MAX_NUMBERS)

_PROTOCOLS = {str(number): PROTOCOL_NAMES.get(number, OTHER_PROTOCOL) for number in range(256)}
PROTOCOL_OF = _Words("bad_protocol", {**_PROTOCOLS, NO_VALUE: OTHER_PROTOCOL})
ACTION_OF = _Words("bad_action", ACTIONS)
DIRECTION_OF = _Words("bad_direction", DIRECTIONS)

_LOG_STATUS = USED_FIELDS.index("log-status")
_SRCADDR = USED_FIELDS.index("srcaddr")
_DSTADDR = USED_FIELDS.index("dstaddr")


def record_from_words(words: Sequence[str], has_addresses: bool) -> FlowRecord:
    """Return the record of the words of `USED_FIELDS`, `-` for a missing field. Raises `Malformed`.

    `has_addresses` tells whether the format has both addresses, so that a `-` for an address was written by AWS.
    """
    # fmt: off
    (
        status, interface, subnet, vpc, source, target, from_port, to_port, protocol, packets, octets, start, end,
        action, direction, reason, packet_source, packet_target, source_service, target_service, path,
    ) = words
    if status != OK:
        return _record_not_ok(words, has_addresses)
    # In this order, the first bad field is the reason.
    protocol, action, direction = PROTOCOL_OF[protocol], ACTION_OF[action], DIRECTION_OF[direction]
    # As `FlowRecord(…)`, which is slower.
    return tuple.__new__(FlowRecord, (
        status, interface, subnet, vpc, source, target, from_port, to_port, protocol, NUMBERS[packets],
        int(octets) if octets.isdigit() and octets.isascii() and len(octets) <= MAX_DIGITS else read_number(octets),
        SECONDS[start], SECONDS[end], action, direction, reason, packet_source, packet_target,
        source_service, target_service, path,
    ))
    # fmt: on


def _record_not_ok(words: Sequence[str], has_addresses: bool) -> FlowRecord:
    """Return the record if its status is not OK, or its format has no log-status."""
    status = words[_LOG_STATUS]
    if status in WITHOUT_FLOW:
        return WITHOUT_FLOW[status]
    if status != NO_VALUE:
        raise Malformed("bad_status")
    record = record_from_words([OK, *words[1:]], has_addresses)
    is_idle = has_addresses and words[_SRCADDR] == words[_DSTADDR] == NO_VALUE
    return WITHOUT_FLOW[NODATA] if is_idle else record


def record_from_fields(fields: Mapping[str, str]) -> FlowRecord:
    """Return the record of fields by their names in AWS's formats. Raises `Malformed`."""
    words = [fields.get(name, NO_VALUE) for name in USED_FIELDS]
    return record_from_words(words, "srcaddr" in fields and "dstaddr" in fields)
