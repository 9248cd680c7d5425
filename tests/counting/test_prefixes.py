"""Addresses and the networks that hold them."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.prefixes import Prefixes, pack


def packed(address: str) -> bytes:
    found = pack(address)
    assert found is not None
    return found


def test_ipv6_has_many_spellings_and_one_packed_form() -> None:
    """An IPv4 address has 4 bytes, an IPv6 address 16."""
    assert b"\x0a\x00\x01\x02" == pack("10.0.1.2")
    assert pack("2001:db8::a") == pack("2001:DB8:0:0:0:0:0:000A")
    assert 16 == len(packed("::"))


@pytest.mark.parametrize("text", ["", "-", "10.0.1", "10.0.1.256", "1.2.3.4.5", "::g", "localhost", "10.0.1.1\x00"])
def test_any_other_text_is_not_an_address(text: str) -> None:
    """Nothing is resolved or guessed."""
    assert None is pack(text)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_longest_prefix_wins(is_reversed: bool) -> None:
    """Of several networks that hold an address, the narrowest is found, whatever their order."""
    networks = [
        ("0.0.0.0/0", "all"),
        ("10.0.0.0/8", "wide"),
        ("10.1.0.0/16", "narrow"),
        ("10.1.2.3/32", "host"),
        ("2001:db8::/32", "six"),
        ("2001:db8:1::/48", "narrow six"),
    ]
    prefixes = Prefixes(networks[::-1] if is_reversed else networks)

    addresses = ("10.1.2.3", "10.1.2.4", "10.2.2.3", "11.0.0.1", "2001:db8::1", "2001:db8:1::1", "2001:db9::1")

    assert ["host", "narrow", "wide", "all", "six", "narrow six", None] == [
        prefixes.find(packed(address)) for address in addresses
    ]


def test_a_later_network_replaces_an_equal_one() -> None:
    """Bits of the host are ignored."""
    prefixes = Prefixes([("10.1.0.0/16", "first")])

    prefixes.add("10.1.2.3/16", "second")

    assert "second" == prefixes.find(packed("10.1.9.9"))
    assert None is Prefixes().find(packed("10.1.9.9"))
