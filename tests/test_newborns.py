"""When a new series shows its value: histories of pages, over restarts and last pages."""

from __future__ import annotations

import pytest

from kcl_flowlog.newborns import Newborns

HOLD = 60.0


class Run:
    """One run of an instance, and what it noted."""

    def __init__(self, started_at: float, before: Run | None = None) -> None:
        self.noted: float | None = before.noted if before is not None else None
        self.newborns = Newborns(HOLD, started_at, self.noted, self._note)

    def _note(self, moment: float) -> None:
        self.noted = moment

    def shows(self, now: float, *born_at: float) -> list[bool]:
        """Make a page; say of each series whether it shows its value."""
        self.newborns.begin_page(now)
        return [self.newborns.is_grown(moment, now) for moment in born_at]


@pytest.mark.parametrize(
    ("born_at", "shown"),
    [(1000.0, False), (940.1, False), (940.0, True), (200.0, True), (4600.0, True)],
    ids=["newborn", "still held", "grown", "old", "born in the future, as a clock was set back"],
)
def test_a_series_is_held_while_it_is_young(born_at: float, shown: bool) -> None:
    """And no longer, whatever the clock says."""
    run = Run(100.0)

    assert run.shows(1000.0, born_at) == [shown]
    assert run.newborns.held == (not shown)


def test_what_was_shown_is_never_hidden_again() -> None:
    """Neither by a clock that was set back, nor by a restart."""
    run = Run(0.0)
    assert run.shows(1000.0, 900.0) == [True]
    assert run.shows(930.0, 900.0) == [True]

    assert Run(1010.0, run).shows(1011.0, 900.0) == [True]


def test_what_was_not_shown_before_a_restart_is_held_anew() -> None:
    """No page may have shown its 0 yet, so its first one must not show its value."""
    run = Run(0.0)
    run.shows(1000.0)

    again = Run(1100.0, run)

    assert again.shows(1101.0, 990.0, 900.0) == [False, True]
    assert again.shows(1159.0, 990.0, 900.0) == [False, True]
    assert again.shows(1160.0, 990.0, 900.0) == [True, True]


def test_restarts_one_after_the_other_hide_nothing() -> None:
    """A run that was too short to show anything passes on what the one before it has shown."""
    first = Run(0.0)
    first.shows(1000.0)
    second = Run(1010.0, first)
    second.shows(1020.0)

    assert Run(1030.0, second).shows(1031.0, 940.0, 941.0) == [True, False]


def test_a_state_directory_without_a_note_is_of_an_older_version() -> None:
    """All that it has was shown; a step back to 0 would count it twice."""
    assert Run(1000.0).shows(1001.0, 990.0) == [True]


def test_the_last_page_holds_nothing() -> None:
    """And the next run knows that all was shown."""
    run = Run(0.0)
    assert run.shows(1000.0, 999.0) == [False]
    run.newborns.lift()
    assert run.shows(1001.0, 999.0) == [True]

    assert Run(1002.0, run).shows(1003.0, 999.0) == [True]
