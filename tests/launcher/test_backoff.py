"""How long to wait after failures, and when to give up."""

from __future__ import annotations

import pytest

from kcl_flowlog.errors import GaveUp
from kcl_flowlog.launcher.backoff import Backoff

# Whether the run was ready, and how many seconds it lasted.
FAILED = (False, 5.0)
WORKED_SHORTLY = (True, 59.9)
WORKED_LONG = (True, 60.0)


@pytest.mark.parametrize(
    ("runs", "pauses"),
    [
        pytest.param([FAILED] * 9, [1, 1, 1, 2, 4, 8, 16, 32, 60], id="doubles up to a minute"),
        pytest.param([FAILED] * 4 + [WORKED_LONG] + [FAILED] * 3, [1, 1, 1, 2, 1, 1, 1, 2], id="starts again"),
        pytest.param([FAILED] * 3 + [WORKED_SHORTLY, FAILED], [1, 1, 1, 2, 4], id="a short good run is a failure"),
        pytest.param([WORKED_SHORTLY] * 6 + [FAILED], [1, 1, 1, 2, 4, 4, 16], id="short after runs that were ready"),
        pytest.param([FAILED] * 3 + [(False, 3600.0), FAILED], [1, 1, 1, 2, 4], id="a long run is a failure too"),
    ],
)
def test_waits_double_until_a_run_has_worked_for_a_minute(runs: list[tuple[bool, float]], pauses: list[float]) -> None:
    """After three failures, each wait is twice the last, at most a minute."""
    backoff = Backoff()

    assert pauses == [backoff.pause_after(*run) for run in runs]


def test_the_tenth_run_in_a_row_that_was_never_ready_is_the_last() -> None:
    """After nine there is another attempt."""
    backoff = Backoff()
    for _ in range(9):
        backoff.pause_after(*FAILED)

    with pytest.raises(GaveUp, match="10 times in a row"):
        backoff.pause_after(*FAILED)


def test_a_start_that_fails_is_tried_for_ever() -> None:
    """A full disk is waited out, however long that takes."""
    backoff = Backoff()

    assert 60 == [backoff.pause_after_failed_start() for _ in range(20)][-1]


def test_a_run_that_was_ready_breaks_the_row() -> None:
    """However short it was, nine more attempts follow."""
    backoff = Backoff()
    for run in [*[FAILED] * 9, WORKED_SHORTLY, *[FAILED] * 9]:
        backoff.pause_after(*run)

    with pytest.raises(GaveUp):
        backoff.pause_after(*FAILED)


def test_runs_that_become_ready_are_tried_for_ever() -> None:
    """A daemon that works and ends again and again starts again and again."""
    backoff = Backoff()

    assert 4 == [backoff.pause_after(*WORKED_SHORTLY) for _ in range(50)][-1]
