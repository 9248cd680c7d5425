"""The books of the demo."""

from kcl_flowlog.demo.truth import Key, Sums, Truth, total
from tests.support.demo_fakes import a_truth

KEY = Key("subnet-1", "ingress", "accept", "tcp", "internet")


def test_a_merge_adds_every_figure():
    """Merging adds traffic, events and payloads."""
    truth = a_truth(3)
    truth.merge(a_truth(4))
    assert {KEY: Sums(7, 70, 7000)} == truth.traffic
    assert truth.events == {"counted": 7}
    assert truth.payloads == {"data": 2}


def test_truths_are_equal_whatever_the_order():
    """The order of merging leaves no trace."""
    parts = [a_truth(1), a_truth(2, "subnet-2"), a_truth(3, outcome="nodata")]
    assert total(parts) == total(reversed(parts))


def test_truths_differ_by_one_byte():
    """A single byte makes two truths unequal."""
    other = a_truth(3)
    other.add_traffic(KEY, Sums(bytes=1))
    assert other != a_truth(3)


def test_a_copy_stays_as_it_was():
    """A later merge does not change a copy."""
    truth = a_truth(3)
    copy = truth.copy()
    truth.merge(a_truth(4))
    assert a_truth(3) == copy


def test_nothing_added_leaves_no_series():
    """A series of zeros equals no series."""
    truth = Truth()
    truth.add_traffic(KEY, Sums())
    assert Truth() == truth


def test_a_subnet_sums_all_of_its_series():
    """The sums of a subnet span its labels and no other subnet."""
    truth = total([a_truth(1), a_truth(2, "subnet-2")])
    truth.add_traffic(KEY._replace(direction="egress"), Sums(5, 6, 7))
    assert Sums(6, 16, 1007) == truth.of_subnet("subnet-1")
