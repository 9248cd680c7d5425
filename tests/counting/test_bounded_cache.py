"""The cache of computed values."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.bounded_cache import BoundedCache


def test_a_value_is_computed_once() -> None:
    """The second lookup of a key finds the value of the first."""
    computed: list[int] = []

    def double(key: int) -> int:
        computed.append(key)
        return key * 2

    cache = BoundedCache(double, 10)

    assert [2, 2, 4] == [cache[1], cache[1], cache[2]]
    assert [1, 2] == computed


def test_a_full_cache_is_emptied_before_the_next_key() -> None:
    """It holds `max_size` values, never more; a key that it has does not empty it."""
    cache = BoundedCache(str, 3)

    sizes = []
    for key in (1, 2, 3, 3, 4, 5):
        cache[key]
        sizes.append(len(cache))

    assert [1, 2, 3, 3, 1, 2] == sizes


def test_an_error_leaves_nothing_behind() -> None:
    """A key whose value can't be computed raises each time."""
    cache = BoundedCache(int, 3)

    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            cache["x"]

    assert {} == cache
