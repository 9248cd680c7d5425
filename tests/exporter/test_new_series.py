"""When a new series shows its value: histories of pages, over restarts, last pages and disks that are full."""

from __future__ import annotations

import pytest

from kcl_flowlog.exporter.new_series import NewSeries

HOLD = 60.0


class Run:
    """One run of an instance, and what it noted."""

    def __init__(self, before: Run | None = None, hold: float = HOLD) -> None:
        self.noted = before.noted if before is not None else 0
        self.can_note = True
        self.now = 0.0
        self.new_series = NewSeries(hold, self.noted, self._note, lambda: self.now)

    def _note(self, birth: int) -> bool:
        if self.can_note:
            self.noted = birth
        return self.can_note

    def shows(self, now: float, *births: int) -> list[bool]:
        """Make a page of the series with these births; say of each whether it shows its value."""
        self.now = now
        self.new_series.begin_page(max(births, default=0))
        return [self.new_series.is_grown(birth) for birth in births]


@pytest.mark.parametrize(
    "pages",
    [
        [(0, {1: False}), (59.9, {1: False}), (60, {1: True}), (61, {1: True})],
        # Born together, or between two pages: held from the first page that has them.
        [(0, {1: False, 2: False}), (50, {1: False, 3: False}), (60, {1: True, 2: True, 3: False}), (110, {3: True})],
        # However long nobody has asked for a page.
        [(0, {}), (1000, {1: False}), (2000, {1: True, 2: False}), (3000, {1: True, 2: True})],
        # A series that ended takes nothing with it.
        [(0, {1: False, 2: False}), (30, {1: False}), (60, {1: True})],
    ],
    ids=["one", "several", "seldom scraped", "ended"],
)
def test_a_series_shows_0_until_the_hold_is_over(pages: list[tuple[float, dict[int, bool]]]) -> None:
    """And its value ever after."""
    run = Run()
    for now, shown in pages:
        assert run.shows(now, *shown) == list(shown.values())
        assert run.new_series.held == (False in shown.values())


def test_without_a_hold_all_shows_at_once() -> None:
    """`--newborn-hold 0s` turns it off."""
    assert Run(hold=0.0).shows(0, 1, 2) == [True, True]


def test_a_restart_neither_hides_what_was_shown_nor_shows_what_was_not() -> None:
    """No page may have shown the 0 of the rest yet, so its first one must not show a value."""
    run = Run()
    run.shows(0, 1)
    run.shows(60, 1, 2)

    again = Run(run)

    assert again.shows(5, 1, 2) == [True, False]
    assert again.shows(64, 1, 2, 3) == [True, False, False]
    assert again.shows(65, 1, 2, 3) == [True, True, False]


def test_restarts_one_after_the_other_hide_nothing() -> None:
    """A run that was too short to show anything passes on what the one before it has shown."""
    first = Run()
    first.shows(0, 1)
    first.shows(60, 1)
    second = Run(first)
    second.shows(1, 1, 2)

    assert Run(second).shows(1, 1, 2) == [True, False]


def test_what_cannot_be_noted_is_held_on() -> None:
    """A value shown and not noted would go back to 0 after a restart, and count twice."""
    run = Run()
    run.shows(0, 1)
    run.can_note = False
    assert run.shows(100, 1, 2) == [False, False]
    run.can_note = True
    assert run.shows(101, 1, 2) == [True, False]


def test_the_last_page_holds_nothing() -> None:
    """And the next run knows that all was shown."""
    run = Run()
    assert run.shows(0, 1) == [False]
    run.new_series.lift()
    assert run.shows(1, 1, 2) == [True, True]

    assert Run(run).shows(0, 1, 2) == [True, True]
