"""One line of a VPC flow log, by a format compiled once.

A line does not say its own format, so a `Format` is given. Parsing knows
nothing of subnets, inventories or counters. A line that doesn't fit raises
`Malformed` with its reason; it never yields half a record.

Fields and their meaning: "Flow log records", Amazon VPC User Guide.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from kcl_flowlog.errors import ConfigError, Malformed

NONE = "-"
"""What AWS writes for a field that does not apply or could not be computed."""

# Each field with the version of the flow log format that brought it.
FIELDS = {
    "version": 2,
    "account-id": 2,
    "interface-id": 2,
    "srcaddr": 2,
    "dstaddr": 2,
    "srcport": 2,
    "dstport": 2,
    "protocol": 2,
    "packets": 2,
    "bytes": 2,
    "start": 2,
    "end": 2,
    "action": 2,
    "log-status": 2,
    "vpc-id": 3,
    "subnet-id": 3,
    "instance-id": 3,
    "tcp-flags": 3,
    "type": 3,
    "pkt-srcaddr": 3,
    "pkt-dstaddr": 3,
    "region": 4,
    "az-id": 4,
    "sublocation-type": 4,
    "sublocation-id": 4,
    "pkt-src-aws-service": 5,
    "pkt-dst-aws-service": 5,
    "flow-direction": 5,
    "traffic-path": 5,
    "ecs-cluster-arn": 7,
    "ecs-cluster-name": 7,
    "ecs-container-instance-arn": 7,
    "ecs-container-instance-id": 7,
    "ecs-container-id": 7,
    "ecs-second-container-id": 7,
    "ecs-service-name": 7,
    "ecs-task-definition-arn": 7,
    "ecs-task-arn": 7,
    "ecs-task-id": 7,
    "reject-reason": 8,
    "resource-id": 9,
    "encryption-status": 10,
    "instance-tag": 11,
    "instance-tag-2": 11,
    "interface-tag": 11,
    "interface-tag-2": 11,
    "asg-tag": 11,
    "asg-tag-2": 11,
    "interface-type": 11,
    "next-hop-interface-id": 11,
    "next-hop-subnet-id": 11,
    "next-hop-az-id": 11,
    "next-hop-vpc-id": 11,
    "next-hop-interface-type": 11,
}

DEFAULT_FORMAT = " ".join(f"${{{name}}}" for name, version in FIELDS.items() if version == 2)

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
)


class Format:
    """A flow log format, compiled: `Format("${version} ${interface-id} …").parse(line)`."""

    def __init__(self, text: str = DEFAULT_FORMAT) -> None:
        self.text = text
        self.fields = _field_names(text)
        self._has_addresses = "srcaddr" in self.fields and "dstaddr" in self.fields
        # A field that the format lacks is picked from behind the line's own, where `parse` puts a `-`.
        places = [self.fields.index(name) if name in self.fields else len(self.fields) for name in _USED]
        self._pick = itemgetter(*places)

    def parse(self, line: str) -> FlowRecord:
        """Return the record that `line` is.

        Raises `Malformed` with one of the line reasons of `outcomes.MALFORMED_REASONS`.
        """
        words = line.split()
        if len(words) != len(self.fields):
            raise Malformed("field_count")
        words.append(NONE)
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
        ) = self._pick(words)
        if status not in _STATUSES:
            raise Malformed("bad_status")
        if status == NONE:
            silent = self._has_addresses and srcaddr == NONE and dstaddr == NONE
            status = NODATA if silent else OK
        if protocol not in _PROTOCOLS:
            raise Malformed("bad_protocol")
        if action not in ACTIONS:
            raise Malformed("bad_action")
        if direction not in DIRECTIONS:
            raise Malformed("bad_direction")
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
        if match[1] not in FIELDS:
            raise ConfigError(f"--flow-log-format: AWS has no field {match[1]!r}; did you mean {_nearest(match[1])!r}?")
        if match[1] in names:
            raise ConfigError(f"--flow-log-format names {match[1]!r} twice.")
        names.append(match[1])
    return tuple(names)


def _nearest(name: str) -> str:
    import difflib  # only for a mistake of the user; a processor need not pay for it

    return difflib.get_close_matches(name, FIELDS, n=1, cutoff=0)[0]


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
    return number // 1000 if number >= _MILLISECONDS else number
