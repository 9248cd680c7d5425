"""Transit Gateway flow logs: recognised, so that they don't count as malformed.

They have neither an action nor a recording interface, so there is nothing to
count for a subnet, and their lines are not read.

Source: "Transit Gateway Flow Log records", Amazon VPC Transit Gateways guide.
"""

from __future__ import annotations

from collections.abc import Sequence

# The values of the field resource-type; the default format has it, and AWS recommends keeping it.
_RESOURCE_TYPES = frozenset(("TransitGateway", "TransitGatewayAttachment"))
_PREFIXES = ("tgw-", "tgw-attach-")
VERSION = 6
"""The version of the formats that brought the fields below."""
FIELDS = frozenset(
    (
        "resource-type",
        "tgw-id",
        "tgw-attachment-id",
        "tgw-pair-attachment-id",
        "tgw-src-vpc-account-id",
        "tgw-dst-vpc-account-id",
        "tgw-src-vpc-id",
        "tgw-dst-vpc-id",
        "tgw-src-subnet-id",
        "tgw-dst-subnet-id",
        "tgw-src-eni",
        "tgw-dst-eni",
        "tgw-src-az-id",
        "tgw-dst-az-id",
        "packets-lost-no-route",
        "packets-lost-blackhole",
        "packets-lost-mtu-exceeded",
        "packets-lost-ttl-expired",
    )
)
"""The fields that only transit gateways have."""


def is_resource(resource_id: str) -> bool:
    """Tell whether the resource of a flow log is a transit gateway or an attachment."""
    return resource_id.startswith(_PREFIXES)


def is_format(fields: Sequence[str]) -> bool:
    """Tell whether a format with these fields is for a transit gateway."""
    return not FIELDS.isdisjoint(fields)


def is_line(words: Sequence[str]) -> bool:
    """Tell whether a line of an unknown format comes from a transit gateway: it names its resource."""
    return any(word in _RESOURCE_TYPES or word.startswith(_PREFIXES) for word in words)
