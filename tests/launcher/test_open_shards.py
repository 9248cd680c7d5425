"""The number of open shards, as far as Kinesis tells it."""

from __future__ import annotations

import logging
import threading

import pytest

from kcl_flowlog.launcher.open_shards import OpenShards
from tests.support.ec2 import THROTTLED, UNREACHABLE, client_error
from tests.support.logs import events
from tests.support.waiting import eventually

DENIED = client_error("AccessDeniedException")


class Kinesis:
    """Gives each of its answers once, and the last for ever."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = list(answers)

    def __call__(self) -> int:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answers", "numbers", "warnings"),
    [
        ([4, 4, 6], [4, 4, 6], []),
        ([4, THROTTLED, UNREACHABLE, 6], [4, 4, 4, 6], []),
        ([THROTTLED, 4], [None, 4], []),
        (
            [4, *[THROTTLED] * 6, 5],
            [4, 4, 4, 4, 4, None, None, 5],
            ["Kinesis does not tell the number of open shards; asking again each minute"],
        ),
        ([4, *[THROTTLED] * 4, 5, *[THROTTLED] * 4], [4, 4, 4, 4, 4, 5, 5, 5, 5, 5], []),
        ([DENIED], [None], ["Missing permission; flowlog_stream_open_shards is not shown"]),
    ],
    ids=["a reshard", "two failures", "a failure at first", "six failures", "four failures twice", "no permission"],
)
def test_an_old_number_is_shown_for_five_minutes_at_most(
    answers: list[int | Exception], numbers: list[int | None], warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Then it is unknown, and a warning says so once."""
    open_shards = OpenShards(Kinesis(*answers))
    shown = []
    for _ in numbers:
        open_shards.ask()
        shown.append(open_shards.number)

    assert numbers == shown
    assert [(logging.WARNING, warning) for warning in warnings] == [event[:2] for event in events(caplog)]


def test_without_permission_kinesis_is_not_asked_again() -> None:
    """A permission does not come back by asking; other failures pass."""
    assert not OpenShards(Kinesis(DENIED)).ask()
    assert OpenShards(Kinesis(UNREACHABLE)).ask()


def test_the_thread_asks_at_once_and_again_until_it_is_stopped() -> None:
    """A stop does not wait for the interval."""
    counted: list[int] = []

    def count() -> int:
        counted.append(1)
        return 4

    often, once = OpenShards(count, interval=0.001), OpenShards(lambda: 5, interval=3600.0)
    for open_shards in (often, once):
        open_shards.start()

    assert eventually(lambda: len(counted) > 2 and once.number == 5)
    for open_shards in (often, once):
        open_shards.stop()
    assert eventually(lambda: "open-shards" not in {thread.name for thread in threading.enumerate()})
