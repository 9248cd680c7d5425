"""The class of the other end of a flow: the label `peer`."""

from __future__ import annotations

from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import UNKNOWN
from kcl_flowlog.counting.prefixes import Prefixes

SAME_SUBNET = "same_subnet"

PEERS = {
    SAME_SUBNET: "Another address of the same subnet.",
    "same_zone": "Another subnet of the inventory, in the same availability zone.",
    "cross_zone": "A subnet of the inventory in another availability zone.",
    "private": "A private address outside the inventory: RFC 1918, RFC 6598, unique local or link-local.",
    "internet": "A public address.",
    "unknown": "The other end is not known, or is not a host (multicast, broadcast, loopback, reserved).",
}
"""The classes, and what they mean to an operator."""

# Blocks of IANA's special-purpose address registries: no address in them is public.
_SPECIAL = Prefixes(
    [
        *((block, "private") for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
        *((block, "private") for block in ("169.254.0.0/16", "fc00::/7", "fe80::/10")),
        *((block, UNKNOWN) for block in ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")),
        *((block, UNKNOWN) for block in ("::/127", "ff00::/8")),
    ]
)


def is_private(packed: bytes) -> bool:
    """Tell whether a packed address is in a private block."""
    return _SPECIAL.find(packed) == "private"


def peer_class(index: Index, key: tuple[str, str, bytes]) -> str:
    """Return the class of a packed address as seen from a subnet in a VPC: a key of `PEERS`.

    `key` is the id of the subnet, the id of the VPC, and the address.
    """
    subnet_id, vpc_id, packed = key
    peer = index.find_subnet(packed, vpc_id)
    if peer is None:
        return _SPECIAL.find(packed) or "internet"
    if peer.subnet_id == subnet_id:
        return SAME_SUBNET
    subnet = index.subnets.get(subnet_id)
    if subnet is None:
        return "private"
    return "same_zone" if peer.availability_zone_id == subnet.availability_zone_id else "cross_zone"
