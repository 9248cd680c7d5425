"""Where records are counted: for one subnet, in one direction, with one class of peer."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.errors import Malformed
from tests.support.builders import INVENTORY, line
from tests.support.placing import PLAIN, locate, place

RICH = LineFormat(
    "${interface-id} ${srcaddr} ${dstaddr} ${action} ${log-status} ${vpc-id} ${subnet-id} ${flow-direction}"
)

# The claim, the line, and subnet, direction and peer.
CASES = {
    "a conversation inside the VPC, recorded by the sender": (
        line("10.0.1.10", "10.0.3.10", "eni-a"),
        ("subnet-a", "egress", "cross_zone"),
    ),
    "the same, recorded by the receiver": (
        line("10.0.1.10", "10.0.3.10", "eni-c"),
        ("subnet-c", "ingress", "cross_zone"),
    ),
    "the same addresses in another VPC are another subnet": (
        line("10.0.1.10", "10.0.9.4", "eni-x"),
        ("subnet-x", "egress", "cross_zone"),
    ),
    "another address of the same subnet": (line("10.0.1.77", "10.0.1.10"), ("subnet-a", "ingress", "same_subnet")),
    "another subnet of the same zone": (line("10.0.1.10", "10.0.2.99"), ("subnet-a", "egress", "same_zone")),
    "a secondary address is the interface's own": (
        line("203.0.113.1", "10.0.1.11"),
        ("subnet-a", "ingress", "internet"),
    ),
    "IPv6, spelled differently in the inventory": (
        line("2001:db8:1:a:0:0:0:10", "2001:DB8:1:C::10"),
        ("subnet-a", "egress", "cross_zone"),
    ),
    "a subnet of a peered VPC, if no third VPC has the address": (
        line("10.0.1.10", "10.0.9.4", "eni-a"),
        ("subnet-a", "egress", "cross_zone"),
    ),
    "a private address outside the inventory": (line("10.0.1.10", "192.168.7.7"), ("subnet-a", "egress", "private")),
    "carrier-grade NAT": (line("10.0.1.10", "100.64.0.1"), ("subnet-a", "egress", "private")),
    "link-local": (line("10.0.1.10", "169.254.10.10"), ("subnet-a", "egress", "private")),
    "unique local IPv6": (line("2001:db8:1:a::10", "fd00::1"), ("subnet-a", "egress", "private")),
    "the internet": (line("10.0.1.10", "8.8.8.8"), ("subnet-a", "egress", "internet")),
    "the internet by IPv6": (line("2600::1", "2001:db8:1:a::10"), ("subnet-a", "ingress", "internet")),
    "multicast is not a host": (line("10.0.1.10", "224.0.0.251"), ("subnet-a", "egress", "unknown")),
    "neither end is the interface's": (line("10.0.7.7", "10.0.8.8"), ("subnet-a", "unknown", "unknown")),
    "both ends are the interface's": (line("10.0.1.10", "10.0.1.11"), ("subnet-a", "unknown", "same_subnet")),
    "one end is missing": (line("-", "10.0.1.10"), ("subnet-a", "ingress", "unknown")),
}


@pytest.mark.parametrize("claim", CASES)
def test_a_record_of_a_known_interface(claim: str) -> None:
    """The subnet is its interface's, the addresses tell the direction, and the other end has a class."""
    text, expected = CASES[claim]

    assert expected == place(text)


def test_a_record_without_an_interface_takes_that_of_its_log_stream() -> None:
    """A format may lack interface-id, but the log stream is named after the interface."""
    assert ("subnet-b", "egress", "same_zone") == place(line("10.0.2.10", "10.0.1.10", "-"), log_stream="eni-b-all")


# Twice the same public block, so that only the VPC tells whether an address is in the inventory.
PUBLIC = Inventory(
    1.0,
    (
        Subnet("subnet-p", "vpc-1", "az1", "20.0.0.0/24"),
        Subnet("subnet-q", "vpc-1", "az2", "20.0.1.0/24"),
        Subnet("subnet-r", "vpc-2", "az1", "20.0.1.0/24"),
    ),
)
IN_B, FAR = "vpc-1 subnet-b", "vpc-00000009 subnet-0000fa00"

# The claim, source, destination, and the rest of the line: interface, VPC, subnet and direction; and the place.
NAMED = {
    "the subnet of another account": ("10.0.2.7", "10.0.2.8", "eni-00000000", f"{FAR} ingress", ("ingress", "private")),
    "the direction wins over the addresses": (
        *("10.0.2.7", "10.0.2.8", "eni-00000000", f"{IN_B} egress"),
        ("egress", "same_subnet"),
    ),
    "a listed interface that has moved: by its addresses": (
        *("10.0.1.10", "10.0.3.7", "eni-a", f"{IN_B} -"),
        ("egress", "cross_zone"),
    ),
    "a listed interface that has moved: the peer as seen from the VPC of the named subnet": (
        *("10.0.1.77", "10.0.1.10", "eni-a", "vpc-00000009 subnet-b -"),
        ("ingress", "same_zone"),
    ),
    "the only end in the named subnet is the interface's": (
        *("10.0.2.7", "10.0.1.8", "eni-00000000", f"{IN_B} -"),
        ("egress", "same_zone"),
    ),
    "the end is in the named subnet as seen from its VPC": (
        *("10.0.1.7", "8.8.8.8", "eni-00000000", "vpc-1 subnet-a -"),
        ("egress", "internet"),
    ),
    "in either direction": ("8.8.8.8", "10.0.2.7", "eni-00000000", f"{IN_B} -", ("ingress", "internet")),
    "even if the other end is missing": ("-", "10.0.2.7", "eni-00000000", f"{IN_B} -", ("ingress", "unknown")),
    "both ends in the named subnet": ("10.0.2.7", "10.0.2.8", "eni-00000000", f"{IN_B} -", ("unknown", "same_subnet")),
    "no end in the named subnet": ("10.0.1.7", "10.0.3.8", "eni-00000000", f"{IN_B} -", ("unknown", "unknown")),
    "a named subnet that the inventory lacks: no end is known to be in it": (
        *("10.0.2.7", "8.8.8.8", "eni-00000000", f"{FAR} -"),
        ("unknown", "unknown"),
    ),
}


@pytest.mark.parametrize("claim", NAMED)
def test_a_record_that_names_its_subnet(claim: str) -> None:
    """subnet-id and flow-direction come first; without a direction the addresses tell it."""
    source, destination, interface_id, rest, (direction, peer) = NAMED[claim]

    found = place(f"{interface_id} {source} {destination} ACCEPT OK {rest}", line_format=RICH)

    assert (rest.split()[1], direction, peer) == found


def test_a_learned_address_wins_over_the_end_in_the_named_subnet() -> None:
    """An interface that was learned to have an address keeps it, whatever subnet its record names."""
    attributor = Attributor(Index(INVENTORY))
    learned = [PLAIN.parse(line("10.0.1.9", other, "eni-00000000")) for other in ("10.0.3.1", "8.8.8.8")]
    record = RICH.parse("eni-00000000 10.0.1.9 10.0.2.7 ACCEPT OK vpc-1 subnet-b -")

    attributor.learn([*learned, record], NO_LOG_STREAM)

    assert ("subnet-b", "egress", "same_subnet") == locate(attributor, record)


@pytest.mark.parametrize(("vpc_id", "peer"), [("vpc-1", "private"), ("vpc-00000009", "internet")])
def test_the_vpc_of_the_record_counts_if_the_inventory_lacks_its_subnet(vpc_id: str, peer: str) -> None:
    """Of two VPCs with the same block the own VPC is meant; from a third nothing tells which."""
    text = f"eni-00000000 10.9.9.9 20.0.1.7 ACCEPT OK {vpc_id} subnet-0000fa00 egress"

    assert ("subnet-0000fa00", "egress", peer) == place(text, PUBLIC, line_format=RICH)


def test_the_peer_of_one_subnet_depends_on_the_vpc() -> None:
    """The same unknown subnet in records of two VPCs, one after the other."""
    attributor = Attributor(Index(PUBLIC))
    texts = [
        f"eni-00000000 10.9.9.9 20.0.1.7 ACCEPT OK {vpc_id} subnet-0000fa00 egress"
        for vpc_id in ("vpc-00000009", "vpc-1")
    ]

    found = [attributor.locate(RICH.parse(text), NO_LOG_STREAM) for text in texts]

    assert ["internet", "private"] == [each.peer for each in found if each is not None]


def test_a_newer_inventory_counts_from_the_next_record() -> None:
    """Earlier lookups don't stay."""
    attributor = Attributor(Index(INVENTORY))
    record = PLAIN.parse(line("10.0.1.10", "10.0.5.5"))
    assert ("subnet-a", "egress", "private") == locate(attributor, record)

    newer = (*INVENTORY.subnets, Subnet("subnet-n", "vpc-1", "az1", "10.0.5.0/24"))
    attributor.use(Index(Inventory(2.0, newer, INVENTORY.interfaces)))

    assert ("subnet-a", "egress", "same_zone") == locate(attributor, record)


@pytest.mark.parametrize("bad", ["10.0.1", "10.0.1.256", "::g", "localhost", "10.0.1.1\x00"])
def test_an_address_that_is_not_valid_is_malformed(bad: str) -> None:
    """At either end, of the flow or of the packet."""
    for source, destination in (("10.0.1.10", bad), (bad, "10.0.1.10")):
        with pytest.raises(Malformed, match="bad_address"):
            place(line(source, destination))


# The field, an id that EC2 did not name, and whether it is like an id of AWS.
IDS = [
    (field, prefix + digits, is_valid)
    for field, prefix in (("subnet", "subnet-"), ("vpc", "vpc-"), ("interface", "eni-"))
    for digits, is_valid in (
        ("0a1b2c3d", True),
        ("0123456789abcdef0", True),
        ("z" * 32, True),
        ("z" * 33, False),
        ("a", True),
        ("0fresh", True),
        ("pods-a", False),
        ("", False),
        ("0A1B2C3D", False),
        ("0a1b2c3é", False),
        ("0a1b2c3٣", False),
        ("0a1b2c3d\x9b", False),
        ('0a1b2c3d"', False),
    )
]


@pytest.mark.parametrize(("field", "value", "is_valid"), IDS)
def test_an_id_that_ec2_did_not_name_looks_like_an_id(field: str, value: str, is_valid: bool) -> None:
    """It may become a label, or a key that stays in memory."""
    ids = {"interface": "eni-00000000", "vpc": "vpc-00000009", "subnet": "subnet-0000fa00", field: value}
    text = "{interface} 10.0.2.7 8.8.8.8 ACCEPT OK {vpc} {subnet} egress".format_map(ids)

    if is_valid:
        assert (ids["subnet"], "egress", "internet") == place(text, line_format=RICH)
    else:
        with pytest.raises(Malformed, match=f"bad_{field}"):
            place(text, line_format=RICH)


def test_an_id_that_ec2_named_is_valid_whatever_it_looks_like() -> None:
    """AWS may make longer ids tomorrow."""
    assert ("subnet-a", "egress", "internet") == place(
        "eni-a 10.0.1.10 8.8.8.8 ACCEPT OK vpc-1 subnet-a -", line_format=RICH
    )


@pytest.mark.parametrize("name", ["eni-NEW-all", "eni-" + "0" * 33, "eni-0a1b2c3é"])
def test_a_log_stream_that_is_not_named_after_an_interface_tells_nothing(name: str) -> None:
    """So the record is unattributed: its own fields are in order."""
    assert place(line("10.0.2.10", "8.8.8.8", "-"), log_stream=name) is None


def test_memory_is_bounded() -> None:
    """A scan from everywhere does not grow the processor without end."""
    attributor = Attributor(Index(INVENTORY), cache_size=10)

    for number in range(50):
        peer = f"198.51.100.{number}"
        unlisted = PLAIN.parse(line("10.0.1.9", peer, f"eni-{number:08x}"))
        attributor.learn([unlisted], NO_LOG_STREAM)
        attributor.locate(unlisted, NO_LOG_STREAM)
        attributor.locate(PLAIN.parse(line("10.0.1.10", peer)), NO_LOG_STREAM)

    assert 0 < len(attributor.unknown_interfaces) <= 1000
    peers = attributor.peers
    caches = (attributor.packed, peers.ends, peers.classes, attributor._reported)
    assert [True] * 4 == [0 < len(cache) <= 10 for cache in caches]
