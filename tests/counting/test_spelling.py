"""Misspelt names."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.spelling import edits, meant


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bites", "bytes"),
        ("scraddr", "srcaddr"),
        ("interfce-id", "interface-id"),
        ("pkt-srcadr", "pkt-srcaddr"),
        ("flow-directoin", "flow-direction"),
        ("pkt-src-aws-servcie", "pkt-src-aws-service"),
        ("subnetid", "subnet-id"),
        ("instance-tag-3", None),
        ("ecs-task-name", None),
        ("nat-id", None),
        ("moon-phase", None),
        ("bytes", None),
    ],
)
def test_a_misspelt_name_means_a_known_name(name: str, expected: str | None) -> None:
    """A name that AWS may use one day is none of them."""
    assert expected == meant(name, FIELDS)


@pytest.mark.parametrize(
    ("name", "other", "expected"),
    [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("abc", "ac", 1), ("abc", "axc", 1), ("abcd", "badc", 2)],
)
def test_edits_are_counted(name: str, other: str, expected: int) -> None:
    """The same in both directions."""
    assert (expected, expected) == (edits(name, other), edits(other, name))
