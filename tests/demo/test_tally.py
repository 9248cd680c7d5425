"""Figures to compare."""

from __future__ import annotations

from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally, add_up
from tests.support.demo_fakes import a_tally

KEY = SeriesKey("subnet-1", "ingress", "accept", "tcp", "internet")


def test_a_merge_adds_every_figure() -> None:
    """Merging adds traffic, events and payloads."""
    tally = a_tally(3)
    tally.merge(a_tally(4))
    assert {KEY: Sums(7, 70, 7000)} == tally.traffic
    assert {"counted": 7} == tally.events
    assert {"data": 2} == tally.payloads


def test_the_order_of_merging_does_not_matter() -> None:
    """Tallies merged in another order are equal."""
    parts = [a_tally(1), a_tally(2, "subnet-2"), a_tally(3, outcome="nodata")]
    assert add_up(parts) == add_up(reversed(parts))


def test_a_byte_makes_two_tallies_unequal() -> None:
    """A difference of a byte is a difference."""
    other = a_tally(3)
    other.add_traffic(KEY, Sums(bytes=1))
    assert other != a_tally(3)


def test_a_copy_does_not_change() -> None:
    """A later merge does not change a copy."""
    tally = a_tally(3)
    copy = tally.copy()
    tally.merge(a_tally(4))
    assert a_tally(3) == copy


def test_adding_nothing_makes_no_series() -> None:
    """A series of zeros counts as absent."""
    tally = Tally()
    tally.add_traffic(KEY, Sums())
    assert Tally() == tally


def test_a_subnet_sums_all_of_its_series() -> None:
    """The sums of a subnet include all of its labels and no other subnet."""
    tally = add_up([a_tally(1), a_tally(2, "subnet-2")])
    tally.add_traffic(KEY._replace(direction="egress"), Sums(5, 6, 7))
    assert Sums(6, 16, 1007) == tally.sum_of_subnet("subnet-1")
