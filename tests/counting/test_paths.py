"""The way of egress traffic, and the type of the interface that recorded it."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.interface_types import INTERFACE_TYPES, interface_type
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.paths import PATHS, path_of
from kcl_flowlog.counting.subnets import Interface, Inventory
from tests.support.builders import INVENTORY
from tests.support.placing import whole_place

PATH_OF = {
    "1": "same_vpc",
    "2": "internet_gateway_or_vpc_endpoint",
    "3": "virtual_private_gateway",
    "4": "peering",
    "5": "inter_region_peering",
    "6": "local_gateway",
    "7": "vpc_endpoint",
    "8": "internet_gateway",
    "9": "other",
    "by-moon": "other",
    "-": "unknown",
}
TYPE_OF = {
    "": "unknown",
    "interface": "interface",
    "branch": "interface",
    "trunk": "interface",
    "efa": "interface",
    "efa-only": "interface",
    "nat_gateway": "nat_gateway",
    "natGateway": "nat_gateway",
    "network_load_balancer": "network_load_balancer",
    "gateway_load_balancer": "gateway_load_balancer",
    "gateway_load_balancer_endpoint": "gateway_load_balancer_endpoint",
    "lambda": "lambda",
    "vpc_endpoint": "vpc_endpoint",
    "transit_gateway": "transit_gateway",
    "quicksight": "other",
    "a type of the future": "other",
}


def test_a_path_has_a_name() -> None:
    """A number of the future is `other`: a flow is never refused because of it."""
    assert PATH_OF == {word: path_of(word) for word in PATH_OF}
    assert PATHS.keys() == set(PATH_OF.values())


def test_an_interface_has_one_of_few_types() -> None:
    """EC2 may have any number of types, and new ones."""
    assert TYPE_OF == {word: interface_type(word) for word in TYPE_OF}
    assert INTERFACE_TYPES.keys() == set(TYPE_OF.values())


FORMAT = LineFormat("${interface-id} ${srcaddr} ${dstaddr} ${flow-direction} ${traffic-path} ${subnet-id}")
NAT = Inventory(
    1.0,
    INVENTORY.subnets,
    (Interface("eni-nat", "subnet-a", "vpc-1", ("10.0.1.10",), interface_type="nat_gateway"),),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eni-nat 10.0.1.10 8.8.8.8 egress 8 -", ("subnet-a", "egress", "internet", "internet_gateway", "nat_gateway")),
        ("eni-nat 10.0.1.10 8.8.8.8 - 8 -", ("subnet-a", "egress", "internet", "internet_gateway", "nat_gateway")),
        ("eni-nat 8.8.8.8 10.0.1.10 ingress - -", ("subnet-a", "ingress", "internet", "unknown", "nat_gateway")),
        ("eni-nat 8.8.8.8 10.0.1.10 ingress 8 -", ("subnet-a", "ingress", "internet", "unknown", "nat_gateway")),
        ("eni-nat 10.0.9.9 8.8.8.8 - 8 -", ("subnet-a", "unknown", "unknown", "unknown", "nat_gateway")),
        ("eni-nat 10.0.1.10 8.8.8.8 egress 1 subnet-b", ("subnet-b", "egress", "internet", "same_vpc", "nat_gateway")),
        ("eni-00000007 10.0.1.9 8.8.8.8 egress 1 subnet-a", ("subnet-a", "egress", "internet", "same_vpc", "unknown")),
    ],
)
def test_only_egress_has_a_path(text: str, expected: tuple[str, ...]) -> None:
    """An interface that has moved keeps its type; the type of an unlisted interface is unknown."""
    assert expected == whole_place(text, NAT, line_format=FORMAT)
