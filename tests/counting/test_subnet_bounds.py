"""Which subnets get separate series: those of the inventory first, and a bounded number of others."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.subnet_bounds import SubnetBounds, admit

# The claim: own before, found, listed by the inventory, the bounds, and what changes.
CASES: dict[str, tuple[dict[str, bool], str, str, tuple[int, int], dict[str, bool]]] = {
    "both kinds have room": ({}, "ab", "a", (1, 1), {"a": True, "b": False}),
    "one of the inventory is not kept out by others": ({"x": False, "y": False}, "za", "a", (1, 2), {"a": True}),
    "others find no room in that of the inventory": ({}, "xyz", "", (9, 2), {"x": False, "y": False}),
    "none is allowed that the inventory lacks": ({}, "xa", "a", (9, 0), {"a": True}),
    "the inventory has more than the bound": ({"a": True, "b": True}, "c", "c", (2, 9), {}),
    "what has its series keeps them, past all bounds": ({"a": True, "x": False}, "ax", "a", (0, 0), {}),
    "a subnet that is listed by now": ({"x": False}, "x", "x", (5, 5), {"x": True}),
    "it makes room for another that is not": ({"x": False}, "xy", "x", (5, 1), {"x": True, "y": False}),
    "also past the bound, but not without end": ({"x": False}, "xyz", "x", (0, 1), {"x": True}),
    "a listed subnet that was deleted stays listed": ({"a": True}, "ab", "b", (1, 0), {}),
}


@pytest.mark.parametrize("claim", CASES)
def test_who_is_admitted(claim: str) -> None:
    """The bounds are of subnets of the inventory, and of those that only records name."""
    own, found, listed, bounds, expected = CASES[claim]

    assert expected == admit(own, found, listed, SubnetBounds(*bounds))


def test_other_is_no_subnet() -> None:
    """It takes no room."""
    assert {"x": False} == admit({}, ["other", "x"], (), SubnetBounds(0, 1))
