"""Where records are counted: one subnet, one direction, one class of peer."""

from __future__ import annotations

import ipaddress

import pytest

from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM, LogStream
from kcl_flowlog.counting.own_addresses import MAX_INTERFACES, OwnAddresses
from kcl_flowlog.counting.prefixes import Prefixes, pack
from kcl_flowlog.counting.subnets import Inventory, Source, Subnet, dump, load
from kcl_flowlog.errors import Malformed
from tests.support.builders import INVENTORY, line

PLAIN = LineFormat()
RICH = LineFormat(
    "${interface-id} ${srcaddr} ${dstaddr} ${action} ${log-status} ${vpc-id} ${subnet-id} ${flow-direction}"
)
NO_INTERFACES = Inventory(1.0, INVENTORY.subnets, ())
# A VPC alone, so that its addresses are nobody else's.
ALONE = Inventory(1.0, INVENTORY.subnets[:3], ())


def place(
    text: str, inventory: Inventory = INVENTORY, log_stream: str = "", line_format: LineFormat = PLAIN
) -> Place | None:
    attributor = Attributor(Index(inventory))
    record = line_format.parse(text)
    stream = LogStream("", "", log_stream)
    attributor.learn([record], stream)
    return attributor.locate(record, stream)


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
    "IPv6, spelled otherwise than in the inventory": (
        line("2001:db8:1:a:0:0:0:10", "2001:DB8:1:C::10"),
        ("subnet-a", "egress", "cross_zone"),
    ),
    "a peered VPC's subnet, which no other VPC could be": (
        line("10.0.1.10", "10.0.9.4", "eni-a"),
        ("subnet-a", "egress", "cross_zone"),
    ),
    "a private address of nobody's": (line("10.0.1.10", "192.168.7.7"), ("subnet-a", "egress", "private")),
    "carrier-grade NAT": (line("10.0.1.10", "100.64.0.1"), ("subnet-a", "egress", "private")),
    "link-local": (line("10.0.1.10", "169.254.10.10"), ("subnet-a", "egress", "private")),
    "unique local IPv6": (line("2001:db8:1:a::10", "fd00::1"), ("subnet-a", "egress", "private")),
    "the internet": (line("10.0.1.10", "8.8.8.8"), ("subnet-a", "egress", "internet")),
    "the internet by IPv6": (line("2600::1", "2001:db8:1:a::10"), ("subnet-a", "ingress", "internet")),
    "multicast is no host": (line("10.0.1.10", "224.0.0.251"), ("subnet-a", "egress", "unknown")),
    "neither end is the interface's": (line("10.0.7.7", "10.0.8.8"), ("subnet-a", "unknown", "unknown")),
    "both ends are": (line("10.0.1.10", "10.0.1.11"), ("subnet-a", "unknown", "unknown")),
    "one end is missing": (line("-", "10.0.1.10"), ("subnet-a", "ingress", "unknown")),
}


@pytest.mark.parametrize("claim", CASES)
def test_a_record_of_a_known_interface(claim: str) -> None:
    """The recording interface's subnet, the direction by its own addresses, the other end's class."""
    text, expected = CASES[claim]

    assert expected == place(text)


def test_a_record_without_an_interface_takes_that_of_its_log_stream() -> None:
    """Where the format lacks interface-id, the log stream is named by it."""
    assert place(line("10.0.2.10", "10.0.1.10", "-"), log_stream="eni-b-all") == ("subnet-b", "egress", "same_zone")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("vpc-9 subnet-far ingress", ("subnet-far", "ingress", "private")),
        ("vpc-1 subnet-b egress", ("subnet-b", "egress", "same_subnet")),
        ("vpc-1 subnet-b -", ("subnet-b", "unknown", "unknown")),
    ],
    ids=["a subnet of another account", "fields win over addresses", "no direction, and no own address either"],
)
def test_fields_of_the_record_come_first(words: str, expected: tuple[str, str, str]) -> None:
    """subnet-id and flow-direction are AWS's own word."""
    text = f"eni-unknown 10.0.2.7 10.0.2.8 ACCEPT OK {words}"

    assert expected == place(text, line_format=RICH, inventory=NO_INTERFACES)


def test_an_unknown_interface_is_known_by_what_its_records_have_in_common() -> None:
    """Two records with two neighbours leave one address that can be its own."""
    attributor = Attributor(Index(ALONE))
    records = [PLAIN.parse(line("10.0.1.9", other, "eni-new")) for other in ("10.0.2.1", "10.0.3.1")]

    attributor.learn(records, NO_LOG_STREAM)

    assert [("subnet-a", "egress", "same_zone"), ("subnet-a", "egress", "cross_zone")] == [
        attributor.locate(record, NO_LOG_STREAM) for record in records
    ]
    assert {"eni-new"} == attributor.unknown_interfaces


def test_one_record_is_enough_where_only_one_end_is_at_home() -> None:
    """Of an address in a known subnet and one outside, the first is the interface's."""
    assert place(line("8.8.8.8", "10.0.1.9", "eni-new"), ALONE) == ("subnet-a", "ingress", "internet")


@pytest.mark.parametrize(
    ("text", "inventory"),
    [
        (line("10.0.1.9", "10.0.2.9", "eni-new"), ALONE),
        (line("10.0.1.9", "8.8.8.8", "eni-new"), NO_INTERFACES),
        (line("198.51.100.1", "198.51.100.2", "eni-new"), ALONE),
        (line("-", "-", "-"), INVENTORY),
    ],
    ids=["both ends at home", "two VPCs use the address", "no end at home", "nothing at all"],
)
def test_what_nothing_tells_is_unattributed(text: str, inventory: Inventory) -> None:
    """A guess would be a wrong figure."""
    assert place(text, inventory) is None


@pytest.mark.parametrize("pair", [("10.0.1.77", "10.0.2.10"), ("10.0.2.10", "10.0.1.77")])
def test_an_end_that_several_vpcs_have_may_be_the_own_one(pair: tuple[str, str]) -> None:
    """That only the other end is in one subnet for certain does not make it the interface's."""
    assert place(line(*pair, "eni-0")) is None


def test_a_newer_inventory_counts_from_the_next_record() -> None:
    """What was looked up before does not stay."""
    attributor = Attributor(Index(INVENTORY))
    record = PLAIN.parse(line("10.0.1.10", "10.0.5.5"))
    assert attributor.locate(record, NO_LOG_STREAM) == ("subnet-a", "egress", "private")

    attributor.use(
        Index(
            Inventory(
                2.0, (*INVENTORY.subnets, Subnet("subnet-n", "vpc-1", "az1", "10.0.5.0/24")), INVENTORY.interfaces
            )
        )
    )

    assert attributor.locate(record, NO_LOG_STREAM) == ("subnet-a", "egress", "same_zone")


@pytest.mark.parametrize("bad", ["10.0.1", "10.0.1.256", "1.2.3.4.5", "::g", "localhost", "10.0.1.1\x00"])
def test_what_is_no_address_is_malformed(bad: str) -> None:
    """An address that none can be is told, not looked up."""
    with pytest.raises(Malformed, match="bad_address"):
        place(line("10.0.1.10", bad))


def test_memory_for_strangers_is_bounded() -> None:
    """A scan from everywhere does not grow the processor without end."""
    attributor = Attributor(Index(INVENTORY))
    for number in range(70_000):
        record = FlowRecord(
            *["OK", "eni-a", "-", "-", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"],
            *["10.0.1.10", "1", "2", "tcp", 1, 1, 0, 0, "accept", "unknown", "-", "-", "-"],
        )
        attributor.locate(record, NO_LOG_STREAM)

    assert len(attributor._packed) <= 65_537
    assert len(attributor._peers) <= 65_536


def test_the_longest_prefix_wins() -> None:
    """Of two networks that hold an address, the narrower is meant, in whichever order they came."""
    networks = Prefixes([("10.0.0.0/8", "wide"), ("10.1.0.0/16", "narrow"), ("2001:db8::/32", "six")])

    found = [networks.find(pack(address) or b"") for address in ("10.1.2.3", "10.2.2.3", "2001:db8::1")]

    assert ["narrow", "wide", "six"] == found
    assert networks.find(pack("11.0.0.1") or b"") is None


def test_an_inventory_survives_its_file() -> None:
    """What is saved is what is loaded."""
    assert load(dump(INVENTORY)) == INVENTORY


def learned(*records: tuple[str, str]) -> tuple[set[str], int]:
    """Return the addresses that are certain after some records, and how many pairs are still in doubt."""
    own = OwnAddresses()
    for source, target in records:
        own.learn("eni-1", pack(source), pack(target))
    decided = {ipaddress.ip_address(address).compressed for address in own.decided("eni-1")}
    return decided, len(own.undecided("eni-1"))


@pytest.mark.parametrize(
    ("records", "decided", "doubts"),
    [
        ([("10.0.0.1", "10.0.0.2")], set(), 1),
        ([("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")], set(), 1),
        ([("10.0.0.1", "10.0.0.2"), ("10.0.0.3", "10.0.0.1")], {"10.0.0.1"}, 0),
        ([("10.0.0.1", "10.0.0.1")], {"10.0.0.1"}, 0),
        ([("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "8.8.8.8"), ("10.9.9.9", "8.8.8.8")], {"10.0.0.1"}, 0),
        ([("10.9.9.9", "8.8.8.8"), ("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.3")], {"10.0.0.1"}, 0),
        ([("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2"), ("fd00::3", "fd00::1")], {"fd00::1"}, 1),
        ([("10.0.0.1", "fd00::2")], set(), 0),
        ([("-", "10.0.0.2"), ("10.0.0.2", "-")], set(), 0),
        ([("-", "-")], set(), 0),
    ],
    ids=[
        "one peer tells nothing",
        "nor does its answer",
        "a second peer tells",
        "a loop is certain",
        "a stray record changes nothing that is certain",
        "nor does a stray one that came first",
        "IPv4 and IPv6 apart",
        "two families in one record are none",
        "one end alone is the interface's",
        "no end at all",
    ],
)
def test_what_records_tell_of_an_interface(records: list[tuple[str, str]], decided: set[str], doubts: int) -> None:
    """The address common to all records of an interface is its own."""
    assert (decided, doubts) == learned(*records)


def test_memory_for_unlisted_interfaces_is_bounded() -> None:
    """Interfaces that come and go do not grow the processor without end; the oldest is forgotten first."""
    own = OwnAddresses()
    for number in range(MAX_INTERFACES + 5):
        own.learn(f"eni-{number}", b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x01")

    assert len(own._candidates) == MAX_INTERFACES
    assert own.decided("eni-0") == frozenset()


def test_an_interface_asks_for_one_early_refresh() -> None:
    """One that no refresh can bring must not ask again with every record; where none is listed, none asks."""
    attributor = Attributor(Index(INVENTORY))
    record = PLAIN.parse(line("10.0.1.9", "8.8.8.8", "eni-new"))

    attributor.learn([record], NO_LOG_STREAM)
    asked = set(attributor.unknown_interfaces)
    attributor.unknown_interfaces.clear()
    attributor.use(Index(INVENTORY))
    attributor.learn([record], NO_LOG_STREAM)

    assert ({"eni-new"}, set()) == (asked, attributor.unknown_interfaces)
    forbidden = Attributor(Index(Inventory(1.0, sources=(Source("here", interfaces_listed=False),))))
    forbidden.learn([record], NO_LOG_STREAM)
    assert forbidden.unknown_interfaces == set()
