"""A page that is kept for a second."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.kept_page import KeptPage
from tests.support.clocks import FakeClock


def test_a_page_is_made_once_a_second() -> None:
    """However many ask for it."""
    clock, made = FakeClock(), iter(range(10))
    kept = KeptPage(lambda: next(made), clock)

    pages = [kept(), kept()]
    clock.now += 0.99
    pages.append(kept())
    clock.now += 0.01
    pages.append(kept())

    assert [0, 0, 0, 1] == pages


def test_a_page_that_fails_is_not_kept() -> None:
    """The next client gets the next attempt."""
    answers = iter(["", "page"])

    def make() -> str:
        answer = next(answers)
        if not answer:
            raise RuntimeError
        return answer

    kept = KeptPage(make, FakeClock())
    with pytest.raises(RuntimeError):
        kept()

    assert "page" == kept()
