"""Comparing what was generated with what was counted."""

import pytest

from kcl_flowlog.demo.comparison import compare, comparison_lines, summary
from kcl_flowlog.demo.tally import Tally
from tests.support.demo_fakes import WORLD, a_tally


def test_equal_figures_are_equal_to_the_last_digit() -> None:
    """The sentence says so, and counts the log events by outcome."""
    expected = "Generated and counted are equal to the last digit; log events: 3 counted."
    assert expected == summary(WORLD, a_tally(3), a_tally(3))


def test_a_difference_names_subnets_and_outcomes() -> None:
    """The sentence names each subnet and each outcome that differs."""
    counted = a_tally(3, "subnet-3")
    counted.events["nodata"] += 2
    counted.payloads["data"] += 1
    expected = (
        "Generated and counted DIFFER: subnets public-a, private-b; log events nodata: 2 instead of 0; "
        "payloads data: 2 instead of 1."
    )
    assert expected == summary(WORLD, a_tally(3), counted)


def test_a_shift_between_labels_is_a_difference() -> None:
    """A subnet is different if its sums agree but its series don't."""
    counted = a_tally(3)
    (key,) = counted.traffic
    counted.traffic[key._replace(peer="private")] = counted.traffic.pop(key)
    assert "Generated and counted DIFFER: subnets public-a." == summary(WORLD, a_tally(3), counted)


def test_counts_of_an_unknown_subnet_are_shown() -> None:
    """A subnet without generated traffic gets its row, too."""
    compared = compare(WORLD, Tally(), a_tally(3, "subnet-9"))
    expected = [("public-a", True), ("private-a", True), ("private-b", True), ("subnet-9", False), ("total", False)]
    assert expected == [(subnet.name, subnet.is_equal) for subnet in compared]


FIGURES = a_tally(12_345_678, bytes_each=1234)
WHOLE = """\
subnet       zone                     flows      packets           bytes
public-a     euw1-az1  generated  12,345,678  123,456,780  15,234,566,652
  DIFFERENT            counted             3           30           3,000"""
WITHOUT_ZONE = """\
subnet                       flows      packets           bytes
public-a     generated  12,345,678  123,456,780  15,234,566,652
  DIFFERENT  counted             3           30           3,000"""
WITHOUT_PACKETS = """\
subnet                       flows           bytes
public-a     generated  12,345,678  15,234,566,652
  DIFFERENT  counted             3           3,000"""


@pytest.mark.parametrize(("width", "table"), [(None, WHOLE), (80, WHOLE), (65, WITHOUT_ZONE), (60, WITHOUT_PACKETS)])
def test_the_table_fits_the_terminal(width: int | None, table: str) -> None:
    """The figures stand digit under digit; a narrow table loses zone and packets, but no digit."""
    lines = comparison_lines(compare(WORLD, FIGURES, a_tally(3)), width)
    assert [line.split() for line in table.splitlines()] == [line.split() for line in lines[:3]]
    assert max(map(len, lines)) <= (width or 80)
    assert "total" in lines[-2]
