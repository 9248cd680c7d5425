"""One line of a VPC flow log, by a format compiled once; and the table of all fields.

A line does not say its own format, so a `Format` is given; how one is chosen
is the business of `kcl_flowlog.counting.formats`. Parsing knows nothing of subnets,
inventories or counters. A line that doesn't fit raises
`Malformed` with its reason; it never yields half a record.

Fields and their meaning: "Flow log records", Amazon VPC User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from kcl_flowlog.errors import ConfigError, Malformed

NONE = "-"
"""What AWS writes for a field that does not apply or could not be computed."""


class Field(NamedTuple):
    """A field of VPC flow logs: the format version that brought it, and what its values look like.

    `kind` is a key of `KINDS`. Whatever the kind, a value may also be `-`.
    """

    version: int
    kind: str


FIELDS = {
    "version": Field(2, "number"),
    "account-id": Field(2, "account"),
    "interface-id": Field(2, "interface"),
    "srcaddr": Field(2, "address"),
    "dstaddr": Field(2, "address"),
    "srcport": Field(2, "port"),
    "dstport": Field(2, "port"),
    "protocol": Field(2, "protocol"),
    "packets": Field(2, "number"),
    "bytes": Field(2, "number"),
    "start": Field(2, "time"),
    "end": Field(2, "time"),
    "action": Field(2, "action"),
    "log-status": Field(2, "status"),
    "vpc-id": Field(3, "vpc"),
    "subnet-id": Field(3, "subnet"),
    "instance-id": Field(3, "instance"),
    "tcp-flags": Field(3, "flags"),
    "type": Field(3, "type"),
    "pkt-srcaddr": Field(3, "address"),
    "pkt-dstaddr": Field(3, "address"),
    "region": Field(4, "region"),
    "az-id": Field(4, "zone"),
    "sublocation-type": Field(4, "sublocation"),
    "sublocation-id": Field(4, "text"),
    "pkt-src-aws-service": Field(5, "service"),
    "pkt-dst-aws-service": Field(5, "service"),
    "flow-direction": Field(5, "direction"),
    "traffic-path": Field(5, "path"),
    "ecs-cluster-arn": Field(7, "arn"),
    "ecs-cluster-name": Field(7, "text"),
    "ecs-container-instance-arn": Field(7, "arn"),
    "ecs-container-instance-id": Field(7, "text"),
    "ecs-container-id": Field(7, "text"),
    "ecs-second-container-id": Field(7, "text"),
    "ecs-service-name": Field(7, "text"),
    "ecs-task-definition-arn": Field(7, "arn"),
    "ecs-task-arn": Field(7, "arn"),
    "ecs-task-id": Field(7, "text"),
    "reject-reason": Field(8, "text"),
    "resource-id": Field(9, "text"),
    "encryption-status": Field(10, "path"),
    "instance-tag": Field(11, "text"),
    "instance-tag-2": Field(11, "text"),
    "interface-tag": Field(11, "text"),
    "interface-tag-2": Field(11, "text"),
    "asg-tag": Field(11, "text"),
    "asg-tag-2": Field(11, "text"),
    "interface-type": Field(11, "text"),
    "next-hop-interface-id": Field(11, "interface"),
    "next-hop-subnet-id": Field(11, "subnet"),
    "next-hop-az-id": Field(11, "zone"),
    "next-hop-vpc-id": Field(11, "vpc"),
    "next-hop-interface-type": Field(11, "text"),
}

# What the values of a kind look like. Used to tell formats apart, so it may be strict: a real value always fits.
KINDS = {
    kind: re.compile(pattern).fullmatch
    for kind, pattern in {
        "text": r".+",
        "number": r"[0-9]{1,15}",
        "port": r"[0-9]{1,5}",
        "protocol": r"[0-9]{1,3}",
        "flags": r"[0-9]{1,3}",
        "path": r"[0-9]{1,2}",
        "time": r"[0-9]{10}|[0-9]{13}",
        "account": r"[0-9]{12}|unknown",
        "address": r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*",
        "interface": r"eni-\w+",
        "vpc": r"vpc-\w+",
        "subnet": r"subnet-\w+",
        "instance": r"i-\w+",
        "arn": r"arn:.+",
        "region": r"[a-z]{2}(-[a-z]+)+-[0-9]+",
        "zone": r"[a-z0-9]+-[a-z0-9-]+",
        "service": r"[A-Z0-9_]+",
        "action": r"ACCEPT|REJECT",
        "status": r"OK|NODATA|SKIPDATA",
        "type": r"IPv4|IPv6|EFA",
        "sublocation": r"wavelength|outpost|localzone",
        "direction": r"ingress|egress",
    }.items()
}

DEFAULT_FORMAT = " ".join(f"${{{name}}}" for name, field in FIELDS.items() if field.version == 2)

OK = "OK"
NODATA = "NODATA"
SKIPDATA = "SKIPDATA"

# IANA numbers that have a name of their own in the metrics; see docs/metrics.md.
PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmpv6"}
OTHER_PROTOCOL = "other"
_PROTOCOLS = {str(number): PROTOCOL_NAMES.get(number, OTHER_PROTOCOL) for number in range(256)} | {NONE: OTHER_PROTOCOL}

ACTIONS = {"ACCEPT": "accept", "REJECT": "reject", NONE: "unknown"}
DIRECTIONS = {"ingress": "ingress", "egress": "egress", NONE: "unknown"}
_STATUSES = frozenset((OK, NODATA, SKIPDATA, NONE))

# Longer numbers can't be true (a petabyte in one interval) and would one day overflow a total.
_MOST_DIGITS = 15
_MILLISECONDS = 100_000_000_000
# The end of the year 9999, the last one that can be written as a date.
_LAST_SECOND = 253_402_300_799
_LONGEST_ID = 64


class FlowRecord(NamedTuple):
    """What is used of one line. A text field that is missing or `-` is `-`.

    `packets` and `bytes` are 0 where AWS gives none, as for the rejects of
    Block Public Access. `start` and `end` are Unix seconds, 0 where missing.
    `action`, `direction` and `protocol` are the words of the metrics' labels.
    """

    status: str
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
    direction: str
    reject_reason: str
    pkt_srcaddr: str
    pkt_dstaddr: str


_USED = (
    "log-status",
    "interface-id",
    "subnet-id",
    "vpc-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "flow-direction",
    "reject-reason",
    "pkt-srcaddr",
    "pkt-dstaddr",
)


class Format:
    """A flow log format, compiled: `Format("${version} ${interface-id} …").parse(line)`.

    A field that no version has yet is carried: it takes its place in a line,
    and is not read. Raises `ConfigError` for a text that is no format.
    """

    def __init__(self, text: str = DEFAULT_FORMAT) -> None:
        self.text = text
        self.fields = _field_names(text)
        self._has_addresses = "srcaddr" in self.fields and "dstaddr" in self.fields
        # A field that the format lacks is picked from behind the line's own, where `read` puts a `-`.
        places = [self.fields.index(name) if name in self.fields else len(self.fields) for name in _USED]
        self._pick = itemgetter(*places)
        self._shape = [KINDS[FIELDS[name].kind if name in FIELDS else "text"] for name in self.fields]

    @property
    def unknown_fields(self) -> list[str]:
        """The fields that no version has, as far as this program knows."""
        return [name for name in self.fields if name not in FIELDS]

    def parse(self, line: str) -> FlowRecord:
        """Return the record that `line` is. Raises `Malformed`."""
        words = line.split()
        if len(words) != len(self.fields):
            raise Malformed("field_count")
        return self.read(words)

    def read(self, words: list[str]) -> FlowRecord:
        """Return the record that a line of these words is; they are as many as the format's fields.

        Raises `Malformed` with one of the line reasons of `outcomes.MALFORMED_REASONS`.
        """
        return record(self._pick([*words, NONE]), self._has_addresses)

    def fits(self, words: list[str]) -> bool:
        """Say whether each word looks like a value of its field."""
        return len(words) == len(self._shape) and all(
            word == NONE or fits(word) for fits, word in zip(self._shape, words, strict=True)
        )


def record_of(fields: Mapping[str, str]) -> FlowRecord:
    """Return the record of named fields, by their names in AWS's formats. Raises `Malformed`."""
    return record(tuple(fields.get(name, NONE) for name in _USED), "srcaddr" in fields and "dstaddr" in fields)


def record(used: tuple[str, ...], has_addresses: bool) -> FlowRecord:
    """Return the record of the fields that are used, in their order; `-` stands for a missing one.

    `has_addresses` says that a `-` for an address is AWS's and not the format's.
    """
    (
        status,
        interface_id,
        subnet_id,
        vpc_id,
        srcaddr,
        dstaddr,
        srcport,
        dstport,
        protocol,
        packets,
        octets,
        start,
        end,
        action,
        direction,
        reject_reason,
        pkt_srcaddr,
        pkt_dstaddr,
    ) = used
    if status not in _STATUSES:
        raise Malformed("bad_status")
    if status == NONE:
        silent = has_addresses and srcaddr == NONE and dstaddr == NONE
        status = NODATA if silent else OK
    if protocol not in _PROTOCOLS:
        raise Malformed("bad_protocol")
    if action not in ACTIONS:
        raise Malformed("bad_action")
    if direction not in DIRECTIONS:
        raise Malformed("bad_direction")
    # The other ids only ever find something; this one may become a label.
    if subnet_id != NONE and not _is_subnet(subnet_id):
        raise Malformed("bad_subnet")
    return FlowRecord(
        status,
        interface_id,
        subnet_id,
        vpc_id,
        srcaddr,
        dstaddr,
        srcport,
        dstport,
        _PROTOCOLS[protocol],
        _number(packets),
        _number(octets),
        _seconds(start),
        _seconds(end),
        ACTIONS[action],
        DIRECTIONS[direction],
        reject_reason,
        pkt_srcaddr,
        pkt_dstaddr,
    )


def _field_names(text: str) -> tuple[str, ...]:
    words = text.split()
    if not words:
        raise ConfigError("--flow-log-format is empty; give it as AWS shows it: '${version} ${interface-id} …'.")
    names = []
    for word in words:
        match = re.fullmatch(r"\$\{([a-z0-9-]+)\}", word)
        if match is None:
            raise ConfigError(f"--flow-log-format: {word!r} is not of the form ${{field-name}}.")
        if match[1] in names:
            raise ConfigError(f"--flow-log-format names {match[1]!r} twice.")
        names.append(match[1])
    return tuple(names)


def nearest_field(name: str) -> str:
    """Return the field that is spelt most like `name`."""
    import difflib  # only for a mistake of the user; a processor need not pay for it

    return difflib.get_close_matches(name, FIELDS, n=1, cutoff=0)[0]


# A log stream is one interface's, mostly: few subnets take turns.
@lru_cache(maxsize=1024)
def _is_subnet(text: str) -> bool:
    return len(text) <= _LONGEST_ID and KINDS["subnet"](text) is not None


def _number(text: str) -> int:
    if text == NONE:
        return 0
    if text.isdigit() and text.isascii() and len(text) <= _MOST_DIGITS:
        return int(text)
    raise Malformed("bad_number")


# The lines of an envelope share a few moments.
@lru_cache(maxsize=4096)
def _seconds(text: str) -> int:
    """Return Unix seconds; some senders write milliseconds."""
    number = _number(text)
    seconds = number // 1000 if number >= _MILLISECONDS else number
    if seconds > _LAST_SECOND:
        raise Malformed("bad_number")
    return seconds
