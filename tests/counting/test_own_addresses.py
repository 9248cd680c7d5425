"""The own addresses of interfaces, learned from their records."""

from __future__ import annotations

import ipaddress

import pytest

from kcl_flowlog.counting.own_addresses import Evidence, OwnAddresses
from kcl_flowlog.counting.prefixes import pack

A, B, C, D = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
S, T, U = "fd00:0:0:1::1", "fd00:0:0:2::1", "fd00:0:0:3::1"

# The records, source, destination and direction; the certain addresses; and whether more may be learned.
CASES: dict[str, tuple[list[tuple[str, ...]], set[str], bool]] = {
    "one peer tells nothing": ([(A, B)], set(), True),
    "nor does its answer": ([(A, B), (B, A)], set(), True),
    "a second peer tells": ([(A, B), (C, A)], {A}, False),
    "a loop is certain": ([(A, A)], {A}, False),
    "an unrelated record changes nothing that is certain": ([(A, B), (A, C), (D, C)], {A}, False),
    "records that contradict each other tell nothing": ([(D, C), (A, B), (A, C)], set(), False),
    "an IPv6 address that all records share may be the peer's": ([(S, T), (S, U)], set(), True),
    "a loop of IPv6 is certain": ([(S, S)], {S}, False),
    "IPv4 and IPv6 are learned separately": ([(A, B), (A, C), (S, T)], {A}, True),
    "a record of both families tells nothing": ([(A, S)], set(), False),
    "a record with one end tells nothing": ([("-", B), (B, "-")], set(), False),
    "nor does a record without ends": ([("-", "-")], set(), False),
    "an egress record names its source": ([(A, B, "egress")], {A}, False),
    "an ingress record names its destination": ([(A, B, "ingress")], {B}, False),
    "the direction decides an earlier record": ([(A, B), (B, A, "ingress")], {A}, False),
    "the direction contradicts an earlier record": ([(A, B), (C, A, "egress"), (A, B)], set(), False),
    "each direction of IPv6 names an address": ([(S, U, "egress"), (U, T, "ingress")], {S, T}, False),
    "a direction needs no peer": ([(A, "-", "egress")], {A}, False),
    "a direction whose end is missing tells nothing": ([(A, "-", "ingress")], set(), False),
}


def learn(own: OwnAddresses, source: str, destination: str, direction: str = "unknown", name: str = "eni-1") -> bool:
    return own.learn(name, pack(source), pack(destination), direction)


def known(own: OwnAddresses, interface_id: str = "eni-1") -> Evidence:
    return own.find(interface_id) or Evidence()


def decided(own: OwnAddresses, interface_id: str = "eni-1") -> set[str]:
    return {ipaddress.ip_address(address).compressed for address in known(own, interface_id).own}


@pytest.mark.parametrize("claim", CASES)
def test_what_records_tell_of_an_interface(claim: str) -> None:
    """One end of each record is the interface's: for IPv4 always the same address, for IPv6 any of several."""
    records, expected, is_open = CASES[claim]
    own = OwnAddresses()

    for record in records:
        learn(own, *record)

    assert {ipaddress.ip_address(address).compressed for address in expected} == decided(own)
    assert is_open is known(own).is_open


def test_learning_tells_what_is_new() -> None:
    """The first record and the record that decides are new; repetitions, single ends and later records are not."""
    own = OwnAddresses()
    records = [(A, B), (B, A), (A, "-"), (C, A), (A, D), (A, "fd00::2")]

    assert [True, False, False, True, False, False] == [learn(own, *record) for record in records]


def test_of_ipv6_a_pair_of_networks_is_new() -> None:
    """A block of a subnet is a /64 at most, so other addresses in the same two networks say the same."""
    own = OwnAddresses()
    records = [(S, T), (T, S), ("fd00:0:0:1::9", T), (S, "fd00:0:0:2::9"), (S, U), (T, U)]

    assert [True, False, False, False, True, True] == [learn(own, *record) for record in records]


def test_an_address_that_turned_out_to_be_own_is_certain() -> None:
    """As long as anything is known of its interface."""
    own = OwnAddresses()
    learn(own, S, T)

    own.add_own("eni-1", pack(S) or b"")
    own.add_own("eni-2", pack(T) or b"")

    assert ({ipaddress.ip_address(S).compressed}, set()) == (decided(own), decided(own, "eni-2"))


def test_interfaces_are_learned_separately() -> None:
    """A record of an interface tells nothing of another."""
    own = OwnAddresses()
    learn(own, A, B, name="eni-1")
    learn(own, A, C, name="eni-2")

    assert (set(), set()) == (decided(own, "eni-1"), decided(own, "eni-2"))
    assert own.find("eni-3") is None


def test_memory_is_bounded() -> None:
    """The oldest interface is forgotten for a new interface, and only then."""
    own = OwnAddresses(max_interfaces=2)
    for name in ("eni-1", "eni-2", "eni-2"):
        learn(own, A, A, name=name)
    assert {A} == decided(own, "eni-1")

    learn(own, A, A, name="eni-3")

    assert [set(), {A}, {A}] == [decided(own, name) for name in ("eni-1", "eni-2", "eni-3")]


def test_interfaces_with_many_ipv6_addresses_leave_room_for_fewer() -> None:
    """Their own addresses and their pairs are bounded for each interface and for all together."""
    own = OwnAddresses(max_interfaces=30)
    for name in ("eni-1", "eni-2", "eni-3"):
        for number in range(100):
            learn(own, f"fd00::{number:x}", T, "egress", name)
            learn(own, S, f"fd00:{number:x}::", name=name)

    sizes = [known(own, name).size for name in ("eni-1", "eni-2", "eni-3")]

    assert [0, 96, 96] == sizes
