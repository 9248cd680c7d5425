"""The fields of VPC flow logs: the version that brought each, and what its values look like.

Source: "Flow log records", Amazon VPC User Guide.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NO_VALUE = "-"
"""What AWS writes for a field that does not apply or could not be computed."""


class Field(NamedTuple):
    """A field: the format version that brought it, and the kind of its values, a key of `KINDS`.

    A value of any kind may also be `-`.
    """

    version: int
    kind: str


FIELDS = {
    "version": Field(2, "version"),
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

# A word that is certainly of another kind, though its letters would do.
_NO_NAME = r"(?!(?:ACCEPT|REJECT|OK|NODATA|SKIPDATA|ingress|egress|unknown)\Z)"
_NO_ID = r"(?!(?:eni|vpc|subnet|i|tgw|nat|fl)-)"
_ID = r"\w{1,64}"

# What the values of each kind look like. This tells formats apart, so it may be strict, but every real value matches:
# of every partition, and as far as one can tell of years to come.
# All repeats are bounded or last, and no two neighbours match the same text, so a long text is matched in one pass.
KINDS = {
    kind: re.compile(pattern, re.ASCII).fullmatch
    for kind, pattern in {
        "text": r".+",
        "version": r"[0-9]{1,3}",
        "number": r"[0-9]{1,15}",
        "port": r"[0-9]{1,5}",
        "protocol": r"[0-9]{1,3}",
        "flags": r"[0-9]{1,3}",
        "path": r"[0-9]{1,2}",
        "time": r"[0-9]{10}|[0-9]{13}",
        "account": r"[0-9]{12}|unknown",
        "address": r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F.]{0,4}:[0-9a-fA-F:.]{0,45}",
        "interface": rf"eni-{_ID}",
        "vpc": rf"vpc-{_ID}",
        "subnet": rf"subnet-{_ID}",
        "instance": rf"i-{_ID}",
        "arn": r"arn:.+",
        # us-gov-west-1, eusc-de-east-1: three or more parts, the last a number.
        "region": r"[a-z][a-z0-9]{0,15}(-[a-z0-9]{1,16}){1,6}-[0-9]{1,3}",
        # use1-az1, eusc-de-e1-az1, usw2-lax1-az1, use1-wl1-bos-wlz1; perhaps the name of a zone, us-east-1a.
        "zone": rf"{_NO_ID}[a-z0-9]{{1,16}}(-[a-z0-9]{{1,16}}){{1,8}}",
        "service": rf"{_NO_NAME}[0-9_]{{0,16}}[A-Z][A-Z0-9_-]{{0,63}}",
        "action": r"ACCEPT|REJECT",
        "status": r"OK|NODATA|SKIPDATA",
        "type": rf"{_NO_NAME}[A-Z][A-Za-z0-9]{{1,15}}",
        "sublocation": rf"{_NO_NAME}[a-z]{{1,32}}(-[a-z]{{1,32}}){{0,3}}",
        "direction": r"ingress|egress",
    }.items()
}


# The ids of AWS have 8 or 17 hexadecimal digits today. An id that EC2 named is valid whatever it looks like.
_ID_END = "[0-9a-z]{1,32}"
IDS = {
    kind: re.compile(rf"{prefix}-{_ID_END}").fullmatch
    for kind, prefix in (("interface", "eni"), ("subnet", "subnet"), ("vpc", "vpc"))
}
"""What the ids are like that only records name: short and harmless. Their number is bounded where they are kept."""


def nearest_field(name: str) -> str:
    """Return the field whose name is most like `name`."""
    import difflib  # only for a user's mistake; a processor does not load it

    return difflib.get_close_matches(name, FIELDS, n=1, cutoff=0)[0]
