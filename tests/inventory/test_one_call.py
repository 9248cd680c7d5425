"""A call with a time limit."""

from __future__ import annotations

import threading

import pytest

from kcl_flowlog.inventory.one_call import OneCall


def fail() -> None:
    raise ValueError("why")


def test_the_answer_is_that_of_the_call() -> None:
    """None is an answer, too."""
    call = OneCall()

    assert [3, None] == [call.within(60.0, lambda: 3), call.within(60.0, lambda: None)]


def test_the_error_is_that_of_the_call() -> None:
    """It is raised where somebody waits."""
    with pytest.raises(ValueError, match="why"):
        OneCall().within(60.0, fail)


def test_a_call_that_hangs_ends_the_wait() -> None:
    """Until it has ended, no other call is made."""
    call, hanging = OneCall(), threading.Event()

    with pytest.raises(TimeoutError, match=r"^no answer within 0\.01 s$"):
        call.within(0.01, hanging.wait)
    with pytest.raises(TimeoutError, match=r"^the last attempt still waits for an answer$"):
        call.within(60.0, fail)
    hanging.set()
