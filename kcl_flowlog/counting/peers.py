"""The class of the other end of a flow: the label `peer`, which says what its bytes cost.

Two pure rules, one after the other:

1. `peer_class` looks the address of the other end up: in the inventory, then in the special-purpose blocks.
2. If that answers `internet`, and only then, `public_peer` looks at the AWS service that the record names for that end.

So an address of the inventory keeps its class, though AWS's lists have public IPv6 addresses of subnets as well.
"""

from __future__ import annotations

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import UNKNOWN
from kcl_flowlog.counting.prefixes import Prefixes
from kcl_flowlog.counting.subnets import Subnet

SAME_SUBNET = "same_subnet"
INTERNET = "internet"
AWS_OTHER = "aws_other"

PEERS = {
    SAME_SUBNET: "Another address of the same subnet.",
    "same_zone": "Another subnet of the inventory, in the same availability zone.",
    "cross_zone": "A subnet of the inventory in another availability zone of the same region.",
    "cross_region": "A subnet of the inventory in another region.",
    "private": "A private address outside the inventory: RFC 1918, RFC 6598, unique local or link-local.",
    "aws_s3": "A public address of Amazon S3, by `pkt-src-aws-service` or `pkt-dst-aws-service`.",
    "aws_dynamodb": "A public address of Amazon DynamoDB, by the same fields.",
    AWS_OTHER: "A public address of another AWS service, or of somebody's EC2 instance, by the same fields.",
    INTERNET: "Any other public address; every public address if the flow log lacks these fields.",
    "unknown": "The other end or its zone is not known, or is not a host (multicast, broadcast, loopback, reserved).",
}
"""The classes, and what they mean to an operator."""

PEER_OF_SERVICE = {NO_VALUE: INTERNET, "S3": "aws_s3", "DYNAMODB": "aws_dynamodb"}

# Blocks of IANA's special-purpose address registries: no address in them is public.
SPECIAL_BLOCKS = (
    *((block, "private") for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    *((block, "private") for block in ("169.254.0.0/16", "fc00::/7", "fe80::/10")),
    *((block, UNKNOWN) for block in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")),
    *((block, UNKNOWN) for block in ("::/127", "ff00::/8")),
)
_SPECIAL = Prefixes(SPECIAL_BLOCKS)


def is_private(packed: bytes) -> bool:
    """Tell whether a packed address is in a private block."""
    return _SPECIAL.find(packed) == "private"


def special_class(packed: bytes) -> str:
    """Return the class of a packed address outside the inventory."""
    return _SPECIAL.find(packed) or INTERNET


def peer_class(index: Index, key: tuple[str, str, bytes]) -> str:
    """Return the class of a packed address as seen from a subnet in a VPC: a key of `PEERS`, but no AWS service.

    `key` is the id of the subnet, the id of the VPC, and the address.
    """
    subnet_id, vpc_id, packed = key
    peer = index.find_subnet(packed, vpc_id)
    if peer is None:
        return special_class(packed)
    if peer.subnet_id == subnet_id:
        return SAME_SUBNET
    return distance(index.subnets.get(subnet_id), peer)


def distance(subnet: Subnet | None, peer: Subnet) -> str:
    """Return the class of another subnet as seen from a subnet, None if the inventory lacks it. Its zones decide."""
    if subnet is None:
        return "private"
    # An inventory that somebody wrote by hand may lack regions. Zone ids name the same zone in every account.
    if subnet.region and peer.region and subnet.region != peer.region:
        return "cross_region"
    if not (subnet.availability_zone_id and peer.availability_zone_id):
        return UNKNOWN
    return "same_zone" if subnet.availability_zone_id == peer.availability_zone_id else "cross_zone"


def public_peer(service: str) -> str:
    """Return the class of a public address, for which AWS names this service, `-` for none.

    `service` is the field of the other end: `pkt-dst-aws-service` for egress, `pkt-src-aws-service` for ingress.
    """
    return PEER_OF_SERVICE.get(service, AWS_OTHER)
