"""The direction of a record, by the addresses of its interface."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.known_interface import KnownInterface
from kcl_flowlog.counting.prefixes import pack
from kcl_flowlog.counting.subnets import Interface, Inventory

OWN, SECOND, DELEGATED, PEER = "10.0.1.10", "10.0.1.11", "10.0.1.70", "203.0.113.5"
INTERFACE = Interface("eni-a", "subnet-a", "vpc-1", (OWN, SECOND, "not an address"), prefixes=("10.0.1.64/28",))


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        (OWN, PEER, "egress"),
        (PEER, SECOND, "ingress"),
        (OWN, "-", "egress"),
        ("-", OWN, "ingress"),
        (OWN, SECOND, "unknown"),
        (PEER, PEER, "unknown"),
        ("-", "-", "unknown"),
        (DELEGATED, PEER, "egress"),
        (PEER, DELEGATED, "ingress"),
        ("-", DELEGATED, "ingress"),
        (DELEGATED, DELEGATED, "unknown"),
        # Between an address and a delegated prefix of the same interface the address decides.
        (OWN, DELEGATED, "egress"),
    ],
)
def test_direction(source: str, destination: str, expected: str) -> None:
    """The end that is the interface's tells it; both or neither tell nothing."""
    interface = Index(Inventory(1.0, (), (INTERFACE,))).interfaces["eni-a"]

    assert expected == interface.direction(pack(source), pack(destination))


def test_without_prefixes_only_addresses_count() -> None:
    """An address beside them is a peer's."""
    interface = KnownInterface("subnet-a", "vpc-1", [pack(OWN) or b""])

    assert ("subnet-a", "vpc-1") == (interface.subnet_id, interface.vpc_id)
    assert "unknown" == interface.direction(pack(DELEGATED), pack(PEER))
    assert "egress" == interface.direction(pack(OWN), pack(DELEGATED))
