"""What a denial says, with every value of its type, for the forms that follow a published schema.

A value that the record does not have, or that is not of its type, is None. `rest` holds the words of all fields that no
other attribute holds, so a form that writes attributes and `rest` loses nothing. Knows no form and never fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.flow_record import OTHER_PROTOCOL
from kcl_flowlog.counting.known_interface import UNKNOWN
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.counting.prefixes import pack

# By the number of bytes of an address.
_IP_VERSIONS = {4: 4, 16: 6}
_LARGEST_PORT = 65_535
_LARGEST_BYTE = 255
_MOST_DIGITS = 5
# The keywords of IANA, where they are not the protocol's name in the metrics.
_TRANSPORTS = {"icmpv6": "ipv6-icmp", OTHER_PROTOCOL: None}
_UNKNOWN_ACCOUNT = "unknown"
# The fields that the attributes hold; action and log status are those of every denial.
_HELD = frozenset(
    (
        *("version", "account-id", "region", "az-id", "instance-id", "interface-id", "subnet-id", "vpc-id"),
        *("srcaddr", "dstaddr", "srcport", "dstport", "pkt-srcaddr", "pkt-dstaddr"),
        *("pkt-src-aws-service", "pkt-dst-aws-service", "protocol", "packets", "bytes", "start", "end"),
        *("flow-direction", "tcp-flags", "traffic-path", "reject-reason", "action", "log-status"),
    )
)


class End(NamedTuple):
    """One end of a flow. `packet_address` is that of the packet behind a NAT gateway or a load balancer."""

    address: str | None
    port: int | None
    packet_address: str | None
    service: str | None


class Facts(NamedTuple):
    """The facts of a denial.

    Times are Unix seconds, `transport` is the protocol's keyword, and `rest` has the fields' names with `_` for `-`.
    """

    version: str | None
    account_id: str | None
    region: str | None
    zone_id: str | None
    instance_id: str | None
    interface_id: str | None
    subnet_id: str | None
    vpc_id: str | None
    direction: str | None
    peer: str | None
    source: End
    destination: End
    ip_version: int | None
    transport: str | None
    protocol_number: int | None
    packets: int | None
    bytes: int | None
    start: int | None
    end: int | None
    tcp_flags: int | None
    traffic_path: int | None
    reject_reason: str | None
    rest: Mapping[str, str]


def facts_of(denial: Denial, words: Mapping[str, str]) -> Facts:
    """Return the facts of a denial; `words` are those of its line, each by the name of its field."""
    # long because it names every fact.
    record, place, log_stream = denial.record, denial.place, denial.log_stream
    find = words.get
    account_id = _text(find("account-id", NO_VALUE))
    direction = place.direction if place is not None else record.flow_direction
    packed = pack(record.srcaddr) or pack(record.dstaddr)
    numbers = {
        "srcport": _number(record.srcport, _LARGEST_PORT),
        "dstport": _number(record.dstport, _LARGEST_PORT),
        "protocol": _number(find("protocol", NO_VALUE), _LARGEST_BYTE),
        "tcp-flags": _number(find("tcp-flags", NO_VALUE), _LARGEST_BYTE),
        "traffic-path": _number(record.traffic_path, _LARGEST_BYTE),
    }
    inside = {"pkt-srcaddr": _address(record.pkt_srcaddr), "pkt-dstaddr": _address(record.pkt_dstaddr)}
    checked = {**numbers, **inside}
    source, destination = _address(record.srcaddr), _address(record.dstaddr)
    from_service, to_service = _text(record.pkt_src_aws_service), _text(record.pkt_dst_aws_service)
    return Facts(
        version=_text(find("version", NO_VALUE)),
        account_id=account_id if account_id != _UNKNOWN_ACCOUNT else None,
        region=_text(find("region", NO_VALUE)),
        zone_id=_text(find("az-id", NO_VALUE)),
        instance_id=_text(find("instance-id", NO_VALUE)),
        interface_id=_text(record.interface_id) or _text(log_stream.interface_id),
        subnet_id=place.subnet_id if place is not None else _text(record.subnet_id),
        vpc_id=_text(record.vpc_id),
        direction=direction if direction != UNKNOWN else None,
        peer=place.peer if place is not None and place.peer != UNKNOWN else None,
        source=End(source, numbers["srcport"], inside["pkt-srcaddr"], from_service),
        destination=End(destination, numbers["dstport"], inside["pkt-dstaddr"], to_service),
        ip_version=_IP_VERSIONS[len(packed)] if packed else None,
        transport=_TRANSPORTS.get(record.protocol, record.protocol),
        protocol_number=numbers["protocol"],
        # A number that AWS does not give is 0 in the record.
        packets=record.packets if record.packets or _text(find("packets", NO_VALUE)) else None,
        bytes=record.bytes if record.bytes or _text(find("bytes", NO_VALUE)) else None,
        start=record.start or None,
        end=record.end or None,
        tcp_flags=numbers["tcp-flags"],
        traffic_path=numbers["traffic-path"],
        reject_reason=_text(record.reject_reason),
        rest={
            name.replace("-", "_"): word
            for name, word in words.items()
            if word != NO_VALUE and (name not in _HELD or checked.get(name, word) is None)
        },
    )


def _text(word: str) -> str | None:
    return word if word != NO_VALUE else None


def _address(word: str) -> str | None:
    return word if pack(word) else None


def _number(word: str, largest: int) -> int | None:
    is_number = word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS and int(word) <= largest
    return int(word) if is_number else None
