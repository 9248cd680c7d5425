"""The new-series hold: histories of pages over restarts, last pages and full disks."""

from __future__ import annotations

import pytest

from kcl_flowlog.exporter.new_series import NewSeries

HOLD = 60.0


class Run:
    """A run of an instance; `saved` is what the next run knows."""

    def __init__(self, before: Run | None = None, hold: float = HOLD) -> None:
        self.saved: int = before.saved if before is not None else 0
        self.can_save = True
        self.now = 0.0
        self.new_series = NewSeries(hold, self.saved, self._save, lambda: self.now)

    def _save(self, birth: int) -> bool:
        if self.can_save:
            self.saved = birth
        return self.can_save

    def shows(self, now: float, *births: int) -> list[bool]:
        """Make a page of series with these births. Returns for each whether it shows its value."""
        self.now = now
        latest = self.new_series.begin_page(max(births, default=0))
        return [birth <= latest for birth in births]


@pytest.mark.parametrize(
    "pages",
    [
        [(0, {1: False}), (59.9, {1: False}), (60, {1: True}), (61, {1: True})],
        # Born together, or between two pages: held from the first page that has them.
        [(0, {1: False, 2: False}), (50, {1: False, 3: False}), (60, {1: True, 2: True, 3: False}), (110, {3: True})],
        # The hold begins with a page, however long there was none.
        [(0, {}), (1000, {1: False}), (2000, {1: True, 2: False}), (3000, {1: True, 2: True})],
        # A series that has ended does not prolong the hold.
        [(0, {1: False, 2: False}), (30, {1: False}), (60, {1: True})],
    ],
    ids=["a series", "several series", "rare scrapes", "an ended series"],
)
def test_a_series_shows_0_until_the_hold_is_over(pages: list[tuple[float, dict[int, bool]]]) -> None:
    """After that it shows its value for ever."""
    run = Run()
    for now, expected in pages:
        assert list(expected.values()) == run.shows(now, *expected)
        assert (False in expected.values()) == run.new_series.is_holding


def test_the_first_run_has_shown_nothing() -> None:
    """Its first series is held, too."""
    new_series = NewSeries(HOLD, clock=lambda: 0.0)

    assert 0 == new_series.begin_page(1)


def test_without_a_hold_every_series_shows_its_value() -> None:
    """`--newborn-hold 0s` turns the hold off."""
    assert [True, True] == Run(hold=0.0).shows(0, 1, 2)


def test_after_a_restart_only_shown_values_are_shown_at_once() -> None:
    """Perhaps no page has shown the 0 of the other series, so they are held again."""
    run = Run()
    run.shows(0, 1)
    run.shows(60, 1, 2)

    again = Run(run)

    assert [True, False] == again.shows(5, 1, 2)
    assert [True, False, False] == again.shows(64, 1, 2, 3)
    assert [True, True, False] == again.shows(65, 1, 2, 3)


def test_a_short_run_forgets_nothing() -> None:
    """A run that shows no new value leaves what the run before it has saved."""
    first = Run()
    first.shows(0, 1)
    first.shows(60, 1)
    second = Run(first)
    second.shows(1, 1, 2)

    assert [True, False] == Run(second).shows(1, 1, 2)


def test_a_series_that_cannot_be_saved_stays_held() -> None:
    """A value that is shown but not saved would go back to 0 after a restart, and count twice."""
    run = Run()
    run.shows(0, 1)
    run.can_save = False
    on_a_full_disk = run.shows(100, 1, 2)
    run.can_save = True

    assert [False, False] == on_a_full_disk
    assert [True, False] == run.shows(101, 1, 2)


def test_after_lift_every_series_shows_its_value() -> None:
    """The next run knows it."""
    run = Run()
    before = run.shows(0, 1)

    run.new_series.lift()

    assert [False] == before
    assert [True, True] == run.shows(1, 1, 2)
    assert [True, True] == Run(run).shows(0, 1, 2)
