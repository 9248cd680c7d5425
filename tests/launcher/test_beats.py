"""The beats of a start: until it stops, and what ends the instance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.launcher.beats import Beats
from tests.support.coordinator import FAILED
from tests.support.logs import events
from tests.support.waiting import eventually


class FakeRecord:
    """Answers the beats by `answers`, and then that the start is current."""

    worker_id = "worker-1"

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.beats = 0
        self.ends = 0

    def beat(self) -> bool:
        self.beats += 1
        answer = self._answers.pop(0) if self._answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        self.ends += 1


@pytest.fixture
def running() -> Iterator[list[Beats]]:
    beats: list[Beats] = []
    yield beats
    for started in beats:
        started.stop()


def started(record: Any, running: list[Beats]) -> Beats:
    running.append(Beats(record, interval=0.001))
    running[-1].start()
    return running[-1]


def failure(beats: Beats) -> Exception | None:
    try:
        beats.check()
    except (FlowlogError, ZeroDivisionError) as error:
        return error
    return None


def test_a_start_beats_again_and_again(running: list[Beats]) -> None:
    """Nothing ends the instance."""
    record = FakeRecord()
    beats = started(record, running)

    assert eventually(lambda: record.beats > 2)
    assert failure(beats) is None


def test_a_later_start_ends_the_instance(running: list[Beats]) -> None:
    """The sentence says what to do; nothing is written any more."""
    record = FakeRecord(True, False)
    beats = started(record, running)

    assert eventually(lambda: failure(beats) is not None)
    assert isinstance(failure(beats), FlowlogError)
    assert (
        "Another instance with the worker id worker-1 has started while this one was silent; give each instance its own"
        " --state-dir." == str(failure(beats))
    )
    assert 2 == record.beats


def test_a_failing_dynamodb_ends_nothing(running: list[Beats], caplog: pytest.LogCaptureFixture) -> None:
    """One warning, however long it lasts, and one line at its end."""
    caplog.set_level(logging.INFO)
    record = FakeRecord(FAILED, FAILED, True)
    beats = started(record, running)

    assert eventually(lambda: len(caplog.records) == 2 and record.beats > 3)
    assert failure(beats) is None
    assert [
        (logging.WARNING, "The signs of life do not reach DynamoDB", {"error": FAILED}),
        (logging.INFO, "The signs of life reach DynamoDB again"),
    ] == [event[: 3 if event[0] == logging.WARNING else 2] for event in events(caplog)]


def test_a_defect_does_not_end_the_beats_silently(running: list[Beats]) -> None:
    """Without beats, a copy of the instance would take its place."""
    defect = ZeroDivisionError()
    beats = started(FakeRecord(defect), running)

    assert eventually(lambda: failure(beats) is defect)


def test_a_stop_ends_the_thread_and_deletes_the_record_once() -> None:
    """Without a start it does neither."""
    before = set(threading.enumerate())
    record: Any = FakeRecord()
    beats = Beats(record, interval=0.001)
    beats.stop()
    assert 0 == record.ends

    beats.start()
    beats.stop()
    beats.stop()

    assert 1 == record.ends
    assert eventually(lambda: set(threading.enumerate()) <= before)
