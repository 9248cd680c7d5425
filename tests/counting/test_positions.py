"""The order of positions in a shard."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kcl_flowlog.counting.positions import SHARD_END, Position


def test_positions_are_ordered_by_number() -> None:
    """Sequence numbers differ in length, so their text has another order; sub-sequence numbers come second."""
    ordered = [
        Position("TRIM_HORIZON"),
        Position("0"),
        Position("9", 0),
        Position("9", 5),
        Position("10"),
        Position("10", 1),
        Position("4" * 56),
        Position(SHARD_END),
    ]

    assert all(before.rank() < after.rank() for before, after in pairwise(ordered))


@pytest.mark.parametrize("word", ["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"])
def test_words_for_a_start_are_before_any_record(word: str) -> None:
    """No record is before them; they are equal to each other, and a sub-sequence number means nothing."""
    assert Position("TRIM_HORIZON").rank() == Position(word, 7).rank()
    assert Position(word, 7).rank() < Position("-1").rank()


def test_a_sub_sequence_number_means_nothing_at_the_end() -> None:
    """A shard ends once."""
    assert Position(SHARD_END).rank() == Position(SHARD_END, 3).rank()


def test_any_other_text_has_no_rank() -> None:
    """The KCL gives no such sequence number."""
    with pytest.raises(ValueError, match="SOMEWHERE"):
        Position("SOMEWHERE").rank()
