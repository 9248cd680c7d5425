"""How long to wait after failures, and when to stop trying."""

import pytest

from kcl_flowlog.errors import GaveUp
from kcl_flowlog.launcher.backoff import Backoff

FAILED = (False, 5.0)
WORKED_SHORTLY = (True, 59.9)
WORKED_LONG = (True, 60.0)


@pytest.mark.parametrize(
    ("runs", "pauses"),
    [
        pytest.param([FAILED] * 9, [1, 1, 1, 2, 4, 8, 16, 32, 60], id="doubles up to a minute"),
        pytest.param([FAILED] * 4 + [WORKED_LONG] + [FAILED] * 3, [1, 1, 1, 2, 1, 1, 1, 2], id="starts anew"),
        pytest.param([FAILED] * 3 + [WORKED_SHORTLY, FAILED], [1, 1, 1, 2, 4], id="a short good run is a failure"),
        pytest.param([WORKED_SHORTLY] * 6 + [FAILED], [1, 1, 1, 2, 4, 4, 16], id="after good ones waits stay short"),
        pytest.param([FAILED] * 3 + [(False, 3600.0), FAILED], [1, 1, 1, 2, 4], id="a long one in vain is one too"),
    ],
)
def test_waits_double_until_a_run_has_worked_for_a_while(runs, pauses):
    """After three, each wait is twice the last, at most a minute; a minute of work makes it a second again."""
    backoff = Backoff()
    assert [backoff.pause(*run) for run in runs] == pauses


def test_the_tenth_run_in_a_row_that_never_worked_is_the_last():
    """Nine failures are waited for, and the tenth is given up at."""
    backoff = Backoff()
    for _ in range(9):
        backoff.pause(*FAILED)

    with pytest.raises(GaveUp, match="10 times in a row"):
        backoff.pause(*FAILED)


def test_a_run_that_can_not_begin_is_never_the_last():
    """A full disk is waited out, however long that takes."""
    backoff = Backoff()

    assert [backoff.pause_unstarted() for _ in range(20)][-1] == 60


def test_a_run_that_worked_breaks_the_row():
    """Only runs in a row count: a working one, however short, is followed by nine more tries."""
    backoff = Backoff()
    for run in [*[FAILED] * 9, WORKED_SHORTLY, *[FAILED] * 9]:
        backoff.pause(*run)

    with pytest.raises(GaveUp):
        backoff.pause(*FAILED)


def test_runs_that_work_are_never_given_up():
    """A daemon that works and is ended again and again is started again and again."""
    backoff = Backoff()
    assert [backoff.pause(*WORKED_SHORTLY) for _ in range(50)][-1] == 4
