"""Interfaces that the inventory lacks: where their records are counted."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.counting.subnets import Interface, Inventory, Source, Subnet
from tests.support.builders import INVENTORY, line
from tests.support.placing import ALONE, NO_INTERFACES, PLAIN, locate, place


def test_an_unlisted_interface_is_known_by_what_its_records_have_in_common() -> None:
    """Two records with two peers leave one address that can be its own."""
    attributor = Attributor(Index(ALONE))
    records = [PLAIN.parse(line("10.0.1.9", other, "eni-facefeed")) for other in ("10.0.2.1", "10.0.3.1")]

    attributor.learn(records, NO_LOG_STREAM)

    assert [("subnet-a", "egress", "same_zone"), ("subnet-a", "egress", "cross_zone")] == [
        locate(attributor, record) for record in records
    ]


def test_the_peer_of_an_unlisted_interface_is_seen_from_its_vpc() -> None:
    """Two VPCs have the address of the peer, but the interface is in one of them."""
    attributor = Attributor(Index(NO_INTERFACES))
    records = [PLAIN.parse(line("10.0.3.9", other, "eni-facefeed")) for other in ("10.0.1.77", "8.8.8.8")]

    attributor.learn(records, NO_LOG_STREAM)

    assert ("subnet-c", "egress", "cross_zone") == locate(attributor, records[0])


def test_unlisted_interfaces_are_told_apart() -> None:
    """Each is found by its own records, and again after the other."""
    attributor = Attributor(Index(ALONE))
    first, second = (
        PLAIN.parse(line(own, "8.8.8.8", name))
        for own, name in (("10.0.1.9", "eni-00000001"), ("10.0.2.9", "eni-00000002"))
    )

    attributor.learn([first, second], NO_LOG_STREAM)

    found = [locate(attributor, record) for record in (first, second, first)]
    assert ["subnet-a", "subnet-b", "subnet-a"] == [each[0] for each in found if each is not None]


def test_one_record_is_enough_if_only_one_end_is_in_a_subnet() -> None:
    """Of an address in a known subnet and an address outside, the first is the interface's."""
    assert ("subnet-a", "ingress", "internet") == place(line("8.8.8.8", "10.0.1.9", "eni-facefeed"), ALONE)


# Pods of subnet-a and a database in subnet-c, the only address that all their records share.
POD, OTHER_POD, DATABASE = "2001:db8:1:a:7::a", "2001:db8:1:a:7::b", "2001:db8:1:c::5"

# The claim; the ends of all records of an interface in the VPC; and the place of the first, or None.
TOGETHER: dict[str, tuple[list[tuple[str, str]], tuple[str, str, str] | None]] = {
    "an IPv6 address that all records share may be the peer's": ([(POD, DATABASE), (OTHER_POD, DATABASE)], None),
    "peers in two other networks leave one subnet": (
        [(POD, DATABASE), (OTHER_POD, DATABASE), (POD, "2600::1"), (OTHER_POD, "2a00::1")],
        ("subnet-a", "egress", "cross_zone"),
    ),
    "peers in one network could be the addresses of an interface in a new subnet": (
        [(POD, "2600::1"), (OTHER_POD, "2600:0:f:9::1")],
        None,
    ),
    "the block of a subnet is a /44 at most": (
        [(POD, "2600::1"), (OTHER_POD, "2600:0:10::1")],
        ("subnet-a", "egress", "internet"),
    ),
    "two IPv6 addresses of a subnet": ([(POD, "2001:db8:1:a::9")], ("subnet-a", "unknown", "same_subnet")),
    "two IPv4 addresses of a subnet": ([("10.0.3.7", "10.0.3.9")], ("subnet-c", "unknown", "same_subnet")),
    "IPv6 shows the subnet, and only one IPv4 address is in it": (
        [("10.0.2.88", "10.0.1.77"), (POD, "2600::1"), (POD, "2a00::1")],
        ("subnet-a", "ingress", "same_zone"),
    ),
    "IPv6 shows the subnet, and two IPv4 addresses are in it": (
        [("10.0.1.77", "10.0.1.88"), (POD, "2600::1"), (POD, "2a00::1")],
        ("subnet-a", "unknown", "same_subnet"),
    ),
    "the same with a missing end": (
        [("10.0.1.77", "-"), (POD, "2600::1"), (POD, "2a00::1")],
        ("subnet-a", "unknown", "unknown"),
    ),
    "IPv4 shows the subnet, and only one IPv6 address is in it": (
        [(DATABASE, OTHER_POD), ("10.0.1.77", "10.0.2.1"), ("10.0.1.77", "10.0.3.1")],
        ("subnet-a", "ingress", "cross_zone"),
    ),
    "an IPv6 address that was shown to be own": (
        [(POD, "2001:db8:1:a::9"), (POD, DATABASE), ("10.0.1.77", "10.0.2.1"), ("10.0.1.77", "10.0.3.1")],
        ("subnet-a", "egress", "same_subnet"),
    ),
    "IPv4 shows the subnet of an interface that forwards IPv6": (
        [("10.0.2.7", "10.0.3.1"), ("10.0.2.7", "10.0.1.1"), (POD, "2600::1"), (POD, "2a00::1")],
        ("subnet-b", "egress", "cross_zone"),
    ),
    "both families contradict each other": ([("10.0.2.7", "8.8.8.8"), (POD, "2600::1"), (POD, "2a00::1")], None),
    "IPv4 records without a common address": ([("10.0.1.7", "8.8.8.8"), ("10.0.1.8", "9.9.9.9")], None),
    "a private peer may be the address of an interface in a new subnet": ([("10.0.1.7", "10.200.0.1")], None),
    "a second private peer leaves one address": (
        [("10.0.1.7", "10.200.0.1"), ("10.0.1.7", "10.200.0.2")],
        ("subnet-a", "egress", "private"),
    ),
}


@pytest.mark.parametrize("claim", TOGETHER)
def test_all_records_of_an_interface_tell_its_subnet(claim: str) -> None:
    """Certain only if no other subnet fits, listed or not."""
    ends, expected = TOGETHER[claim]
    attributor = Attributor(Index(ALONE))
    records = [PLAIN.parse(line(*pair, "eni-facefeed")) for pair in ends]

    attributor.learn(records, NO_LOG_STREAM)

    # As a record that waits is tried again.
    assert expected == [locate(attributor, record) for record in (*records, records[0])][-1]


def test_ipv6_tells_which_of_two_vpcs_an_ipv4_address_is_in() -> None:
    """And IPv4 tells which of the two ends of IPv6 records is the interface's."""
    attributor = Attributor(Index(NO_INTERFACES))
    ends = [("10.0.1.77", "8.8.8.8"), ("10.0.1.77", "9.9.9.9"), (POD, DATABASE)]
    records = [PLAIN.parse(line(*pair, "eni-facefeed")) for pair in ends]

    attributor.learn(records[:2], NO_LOG_STREAM)
    assert None is locate(attributor, records[0])
    attributor.learn(records[2:], NO_LOG_STREAM)

    assert [("subnet-a", "egress", "internet"), ("subnet-a", "egress", "cross_zone")] == [
        locate(attributor, record) for record in records[1:]
    ]


DIRECTED = LineFormat("${interface-id} ${srcaddr} ${dstaddr} ${action} ${log-status} ${flow-direction}")


@pytest.mark.parametrize(
    ("pair", "direction", "expected"),
    [
        ((POD, DATABASE), "egress", ("subnet-a", "egress", "cross_zone")),
        ((POD, DATABASE), "ingress", ("subnet-c", "ingress", "cross_zone")),
        (("10.0.1.7", "10.0.2.7"), "egress", ("subnet-a", "egress", "same_zone")),
        (("10.0.1.7", "10.0.2.7"), "ingress", ("subnet-b", "ingress", "same_zone")),
    ],
)
def test_a_direction_tells_the_subnet(pair: tuple[str, str], direction: str, expected: tuple[str, str, str]) -> None:
    """Of its record, and of the records of its interface that have no direction."""
    attributor = Attributor(Index(ALONE))
    records = [DIRECTED.parse(f"eni-facefeed {pair[0]} {pair[1]} ACCEPT OK {word}") for word in ("-", direction)]

    attributor.learn(records, NO_LOG_STREAM)

    assert [expected] * 2 == [locate(attributor, record) for record in records]


@pytest.mark.parametrize(
    ("packet_ends", "peer"),
    [("- -", "same_subnet"), ("10.0.1.7 10.0.1.8", "same_subnet"), ("10.0.1.7 8.8.8.8", "unknown")],
)
def test_without_a_direction_the_packet_may_have_another_peer(packet_ends: str, peer: str) -> None:
    """As behind a NAT gateway of the same subnet."""
    text = f"eni-facefeed 10.0.1.7 10.0.1.9 ACCEPT OK {packet_ends}"
    packets = "${interface-id} ${srcaddr} ${dstaddr} ${action} ${log-status} ${pkt-srcaddr} ${pkt-dstaddr}"

    assert ("subnet-a", "unknown", peer) == place(text, ALONE, line_format=LineFormat(packets))


@pytest.mark.parametrize(
    ("text", "inventory"),
    [
        (line("10.0.1.9", "10.0.2.9", "eni-facefeed"), ALONE),
        (line("10.0.1.9", "8.8.8.8", "eni-facefeed"), NO_INTERFACES),
        (line("198.51.100.1", "198.51.100.2", "eni-facefeed"), ALONE),
        (line("-", "-", "-"), INVENTORY),
        (line("10.0.1.77", "10.0.2.10", "eni-00000000"), INVENTORY),
        (line("10.0.2.10", "10.0.1.77", "eni-00000000"), INVENTORY),
    ],
    ids=[
        "both ends in the VPC",
        "two VPCs use the address",
        "no end in the VPC",
        "no end and no interface",
        "an end that several VPCs have may be the own address",
        "in either direction",
    ],
)
def test_a_record_without_evidence_is_unattributed(text: str, inventory: Inventory) -> None:
    """A guess would be a wrong figure."""
    assert None is place(text, inventory)


def test_a_newer_inventory_counts_for_unlisted_interfaces_too() -> None:
    """What was learned of their addresses stays, and finds the new subnet."""
    attributor = Attributor(Index(ALONE))
    records = [PLAIN.parse(line("10.0.5.9", other, "eni-facefeed")) for other in ("8.8.8.8", "9.9.9.9")]
    attributor.learn(records, NO_LOG_STREAM)
    assert None is locate(attributor, records[0])

    attributor.use(Index(Inventory(2.0, (*ALONE.subnets, Subnet("subnet-n", "vpc-1", "az1", "10.0.5.0/24")))))

    assert ("subnet-n", "egress", "internet") == locate(attributor, records[0])


def test_learning_tells_whether_anything_is_new() -> None:
    """Listed interfaces, records without an interface, and bad addresses tell nothing, but don't hide what follows."""
    attributor = Attributor(Index(ALONE))
    useless = [
        PLAIN.parse(line("10.0.1.9", "bad", "eni-facefeed")),
        PLAIN.parse(line("10.0.1.9", "8.8.8.8", "-")),
    ]
    first = PLAIN.parse(line("10.0.1.9", "8.8.8.8", "eni-facefeed"))
    second = PLAIN.parse(line("10.0.1.9", "9.9.9.9", "eni-facefeed"))

    learned = [attributor.learn(records, NO_LOG_STREAM) for records in ([], useless, [*useless, first], [first])]
    assert [False, False, True, False] == learned
    assert attributor.learn([second, first], NO_LOG_STREAM)
    assert not attributor.learn([second], NO_LOG_STREAM)


def test_listed_interfaces_are_not_learned() -> None:
    """The inventory knows their addresses; an unlisted interface behind them is learned."""
    attributor = Attributor(Index(INVENTORY))
    listed = PLAIN.parse(line("10.0.1.10", "8.8.8.8", "eni-a"))
    unlisted = PLAIN.parse(line("10.0.3.9", "8.8.8.8", "eni-facefeed"))

    assert not attributor.learn([listed], NO_LOG_STREAM)
    assert attributor.learn([listed, unlisted], NO_LOG_STREAM)
    assert {"eni-facefeed"} == attributor.unknown_interfaces


def test_only_an_unlisted_interface_with_two_candidates_is_undecided() -> None:
    """Not before its first record, not after a second peer, and not once it is listed."""
    attributor = Attributor(Index(NO_INTERFACES))
    record = PLAIN.parse(line("10.0.1.10", "10.0.2.10", "eni-0000000a"))
    assert not attributor.is_undecided(record, NO_LOG_STREAM)

    attributor.learn([record], NO_LOG_STREAM)
    assert attributor.is_undecided(record, NO_LOG_STREAM)

    listed = Interface("eni-0000000a", "subnet-a", "vpc-1")
    attributor.use(Index(Inventory(1.0, INVENTORY.subnets, (listed,))))
    assert not attributor.is_undecided(record, NO_LOG_STREAM)

    attributor.use(Index(NO_INTERFACES))
    attributor.learn([PLAIN.parse(line("10.0.1.10", "10.0.3.10", "eni-0000000a"))], NO_LOG_STREAM)
    assert not attributor.is_undecided(record, NO_LOG_STREAM)


def test_an_interface_is_reported_once() -> None:
    """An interface that EC2 does not know must not be reported again with every record."""
    attributor = Attributor(Index(INVENTORY))
    record = PLAIN.parse(line("10.0.1.9", "8.8.8.8", "eni-facefeed"))
    attributor.learn([record, record], NO_LOG_STREAM)
    assert {"eni-facefeed"} == attributor.unknown_interfaces

    attributor.unknown_interfaces.clear()
    attributor.use(Index(INVENTORY))
    attributor.learn([record], NO_LOG_STREAM)

    assert set() == attributor.unknown_interfaces


def test_no_interface_is_reported_if_none_can_be_listed() -> None:
    """EC2 does not permit listing interfaces, so it would not find any."""
    attributor = Attributor(Index(Inventory(1.0, sources=(Source("here", interfaces_listed=False),))))

    attributor.learn([PLAIN.parse(line("10.0.1.9", "8.8.8.8", "eni-facefeed"))], NO_LOG_STREAM)

    assert set() == attributor.unknown_interfaces
