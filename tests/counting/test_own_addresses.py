"""The own addresses of interfaces, learned from their records."""

from __future__ import annotations

import ipaddress

import pytest

from kcl_flowlog.counting.own_addresses import OwnAddresses
from kcl_flowlog.counting.prefixes import pack

A, B, C, D = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"


def learn(own: OwnAddresses, source: str, destination: str, interface_id: str = "eni-1") -> bool:
    return own.learn(interface_id, pack(source), pack(destination))


def decided(own: OwnAddresses, interface_id: str = "eni-1") -> set[str]:
    return {ipaddress.ip_address(address).compressed for address in own.decided(interface_id)}


@pytest.mark.parametrize(
    ("records", "expected", "undecided"),
    [
        ([(A, B)], set(), 1),
        ([(A, B), (B, A)], set(), 1),
        ([(A, B), (C, A)], {A}, 0),
        ([(A, A)], {A}, 0),
        ([(A, B), (A, C), (D, C)], {A}, 0),
        ([(D, C), (A, B), (A, C)], {A}, 0),
        ([(A, B), ("fd00::1", "fd00::2"), ("fd00::3", "fd00::1")], {"fd00::1"}, 1),
        ([(A, B), (A, C), ("fd00::1", "fd00::2"), ("fd00::3", "fd00::1")], {A, "fd00::1"}, 0),
        ([(A, "fd00::2")], set(), 0),
        ([("-", B), (B, "-")], set(), 0),
        ([("-", "-")], set(), 0),
    ],
    ids=[
        "one peer tells nothing",
        "nor does its answer",
        "a second peer tells",
        "a loop is certain",
        "an unrelated record changes nothing that is certain",
        "an unrelated record that came first is replaced",
        "IPv4 and IPv6 are learned separately",
        "an interface may have both",
        "a record of both families tells nothing",
        "a record with one end tells nothing",
        "nor does a record without ends",
    ],
)
def test_what_records_tell_of_an_interface(records: list[tuple[str, str]], expected: set[str], undecided: int) -> None:
    """The address common to all records of an interface is its own."""
    own = OwnAddresses()

    for source, destination in records:
        learn(own, source, destination)

    assert expected == decided(own)
    assert undecided == len(own.undecided("eni-1"))


def test_learning_tells_what_is_new() -> None:
    """The first record and the record that decides are new; repetitions, single ends and later records are not."""
    own = OwnAddresses()
    records = [(A, B), (B, A), (A, "-"), (C, A), (A, D), (A, "fd00::2")]

    assert [True, False, False, True, False, False] == [learn(own, *record) for record in records]


def test_interfaces_are_learned_separately() -> None:
    """A record of an interface tells nothing of another."""
    own = OwnAddresses()
    learn(own, A, B, "eni-1")
    learn(own, A, C, "eni-2")

    assert (set(), set()) == (decided(own, "eni-1"), decided(own, "eni-2"))
    assert [] == own.undecided("eni-3")


def test_memory_is_bounded() -> None:
    """The oldest interface is forgotten for a new interface, and only then."""
    own = OwnAddresses(max_interfaces=2)
    for name in ("eni-1", "eni-2", "eni-2"):
        learn(own, A, A, name)
    assert {A} == decided(own, "eni-1")

    learn(own, A, A, "eni-3")

    assert [set(), {A}, {A}] == [decided(own, name) for name in ("eni-1", "eni-2", "eni-3")]
