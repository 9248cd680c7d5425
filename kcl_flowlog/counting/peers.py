"""The class of the other end of a flow: the label `peer`, which says what its bytes cost.

Two pure rules, one after the other:

1. `Peers.find` looks the address of the other end up: in the inventory, then in the special-purpose blocks.
2. If that answers `internet`, and only then, `public_peer` looks at the AWS service that the record names for that end.

So an address of the inventory keeps its class, though AWS's lists have public IPv6 addresses of subnets as well.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from kcl_flowlog.counting.bounded_cache import BoundedCache
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
# Their IPv4 blocks have prefixes of at most 16 bits, so the first two bytes of an address tell its class.
_IPV4_CLASSES: BoundedCache[bytes, str] = BoundedCache(lambda start: _SPECIAL.find(start + bytes(2)) or INTERNET, 2**16)


def is_private(packed: bytes) -> bool:
    """Tell whether a packed address is in a private block."""
    return _SPECIAL.find(packed) == "private"


def special_class(packed: bytes) -> str:
    """Return the class of a packed address outside the inventory."""
    return _IPV4_CLASSES[packed[:2]] if len(packed) == 4 else _SPECIAL.find(packed) or INTERNET


class Zone(NamedTuple):
    """The region and the id of an availability zone, empty if not known."""

    region: str
    zone_id: str


def zone_of(subnet: Subnet) -> Zone:
    """Return the zone of a subnet."""
    return Zone(subnet.region, subnet.availability_zone_id)


class Peers:
    """Finds the class of the other end in an inventory; at most `cache_size` answers each are kept."""

    def __init__(self, index: Index, cache_size: int) -> None:
        # Two steps, since many subnets see the same addresses. By VPC and address, the subnet and its zone, or the
        # class of an address outside the inventory; by subnet and either of these, the class.
        # Not methods, which would be in a cycle with these caches and keep the memory of the index for longer.
        self.ends: BoundedCache[tuple[str, bytes], tuple[str, Zone | str]] = BoundedCache(
            partial(_find_end, index), cache_size
        )
        self.classes: BoundedCache[tuple[str, Zone | str], str] = BoundedCache(partial(_classify, index), cache_size)

    def find(self, subnet_id: str, vpc_id: str, packed: bytes) -> str:
        """Return the class of a packed address as seen from a subnet in a VPC: a key of `PEERS`, but no AWS service."""
        peer_subnet_id, zone = self.ends[vpc_id, packed]
        return SAME_SUBNET if peer_subnet_id == subnet_id else self.classes[subnet_id, zone]


def _find_end(index: Index, key: tuple[str, bytes]) -> tuple[str, Zone | str]:
    vpc_id, packed = key
    subnet = index.find_subnet(packed, vpc_id)
    return ("", special_class(packed)) if subnet is None else (subnet.subnet_id, zone_of(subnet))


def _classify(index: Index, key: tuple[str, Zone | str]) -> str:
    subnet_id, peer = key
    if isinstance(peer, str):
        return peer
    subnet = index.subnets.get(subnet_id)
    return distance(None if subnet is None else zone_of(subnet), peer)


def distance(own: Zone | None, peer: Zone) -> str:
    """Return the class of another subnet by its zone, as seen from a zone; None if the inventory lacks the subnet."""
    if own is None:
        return "private"
    # An inventory that somebody wrote by hand may lack regions. Zone ids name the same zone in every account.
    if own.region and peer.region and own.region != peer.region:
        return "cross_region"
    if not (own.zone_id and peer.zone_id):
        return UNKNOWN
    return "same_zone" if own.zone_id == peer.zone_id else "cross_zone"


def public_peer(service: str) -> str:
    """Return the class of a public address, for which AWS names this service, `-` for none.

    `service` is the field of the other end: `pkt-dst-aws-service` for egress, `pkt-src-aws-service` for ingress.
    """
    return PEER_OF_SERVICE.get(service, AWS_OTHER)
