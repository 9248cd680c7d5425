"""The way that egress traffic takes to the other end, as AWS says in `traffic-path`: the label `path`."""

from __future__ import annotations

from kcl_flowlog.counting.fields import NO_VALUE

PATHS = {
    "same_vpc": "1: another resource of the same VPC, such as an interface endpoint or a NAT gateway.",
    "internet_gateway_or_vpc_endpoint": "2: an internet gateway or a gateway endpoint; AWS does not say which.",
    "virtual_private_gateway": "3: a virtual private gateway.",
    "peering": "4: a VPC peering connection within the region.",
    "inter_region_peering": "5: a VPC peering connection to another region.",
    "local_gateway": "6: a local gateway.",
    "vpc_endpoint": "7: a gateway endpoint (S3 or DynamoDB), from an instance on Nitro.",
    "internet_gateway": "8: an internet gateway, from an instance on Nitro.",
    "other": "A later number of AWS.",
    "unknown": "AWS names none: ingress, or no such way; or the flow log lacks `traffic-path`.",
}
"""The ways, each with its number in `traffic-path` and what it means to an operator."""

_OF_FIELD = {**{str(number): path for number, path in enumerate(PATHS, 1) if number <= 8}, NO_VALUE: "unknown"}


def path_of(traffic_path: str) -> str:
    """Return the way for a value of `traffic-path`, a key of `PATHS`."""
    return _OF_FIELD.get(traffic_path, "other")
