"""The type of the interface that recorded a flow, as EC2 says: the label `interface_type`."""

from __future__ import annotations

INTERFACE_TYPES = {
    "interface": "An elastic network interface: of an instance, a pod, a container, a database, "
    "an Application or Classic Load Balancer …",
    "nat_gateway": "A NAT gateway. It records its traffic on both sides: with its users, and with the world.",
    "network_load_balancer": "A Network Load Balancer.",
    "gateway_load_balancer": "A Gateway Load Balancer.",
    "gateway_load_balancer_endpoint": "An endpoint of a Gateway Load Balancer.",
    "lambda": "A Lambda function in a VPC.",
    "vpc_endpoint": "An interface endpoint (PrivateLink). A gateway endpoint has no interface; see `path`.",
    "transit_gateway": "An attachment of a transit gateway.",
    "other": "Any other type that EC2 names.",
    "unknown": "The inventory lacks the interface.",
}
"""The types, and what they mean to an operator."""

# The types of interfaces of instances and pods that differ only in how they are attached.
_ORDINARY = ("efa", "efa-only", "trunk", "branch")
# EC2's model has this spelling too.
_OF_EC2 = {
    **{word: word for word in INTERFACE_TYPES},
    **dict.fromkeys(_ORDINARY, "interface"),
    "natGateway": "nat_gateway",
}


def interface_type(word: str) -> str:
    """Return the type for EC2's word, a key of `INTERFACE_TYPES`; an empty word is unknown."""
    return _OF_EC2.get(word, "other") if word else "unknown"
