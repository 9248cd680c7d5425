"""A thread that fails ends the instance; without that, only the log would tell."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher.thread_failures import ThreadFailures


@pytest.fixture
def failures() -> Iterator[ThreadFailures]:
    failures = ThreadFailures()
    failures.watch()
    yield failures
    failures.stop()


def run(name: str, target: Callable[[], object]) -> None:
    thread = threading.Thread(target=target, name=name)
    thread.start()
    thread.join()


def fail() -> None:
    raise ZeroDivisionError("by nothing")


def test_the_first_failure_is_raised_and_each_is_logged(
    failures: ThreadFailures, caplog: pytest.LogCaptureFixture
) -> None:
    failures.check()
    with caplog.at_level(logging.ERROR):
        run("who", fail)
        run("beats", fail)

    with pytest.raises(FlowlogError, match=r"^The thread 'who' has failed: ZeroDivisionError; the traceback is above"):
        failures.check()
    assert [ZeroDivisionError] * 2 == [record.exc_info[0] for record in caplog.records if record.exc_info]


def test_a_thread_that_exits_has_not_failed(failures: ThreadFailures) -> None:
    run("who", lambda: exec("raise SystemExit"))

    failures.check()


def test_the_hook_of_before_comes_back() -> None:
    before = threading.excepthook
    failures = ThreadFailures()
    failures.stop()
    failures.watch()
    failures.stop()

    assert before == threading.excepthook
