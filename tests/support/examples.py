"""How many examples a test tries: all with ALL_EXAMPLES=1, which `make test` sets, else a part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

HAS_ALL = os.environ.get("ALL_EXAMPLES") == "1"


def sample(cases: Sequence[T], every: int = 3) -> Sequence[T]:
    """Return all cases, or the first of each `every` cases, which should be some of each kind."""
    return cases if HAS_ALL else cases[::every]


def examples(number: int) -> int:
    """Return the `max_examples` of a property that deserves this many."""
    return number if HAS_ALL else max(number // 3, 1)
