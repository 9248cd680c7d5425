"""What is settled in DynamoDB before a daemon may start, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from kcl_flowlog.launcher.admission import Admission
from kcl_flowlog.launcher.table_names import TableNames
from tests.support.coordinator import FAILED, never
from tests.support.launcher_fakes import CallLog

TABLES = TableNames("flows", "flows-CoordinatorState", "flows-WorkerMetricStats")


class Parts:
    """The parts of an admission; each has `answers` for its calls, and then its last answer for ever."""

    def __init__(self, **answers: list[Any]) -> None:
        self.calls: list[str] = []
        self._answers: dict[str, list[Any]] = {"agree": ["trim-horizon"], "begin": [True], "fence": [2], **answers}
        self.admission = Admission(
            application=CallLog("application", [], agree=lambda *_: self._answer("agree")),  # type: ignore[arg-type]
            start=CallLog("start", [], begin=lambda: self._answer("begin"), worker_id="worker-1"),  # type: ignore[arg-type]
            leases=CallLog(
                "leases", [], fence=lambda worker_id: self._answer("fence"), count_shards=lambda: self._answer("count")
            ),  # type: ignore[arg-type]
            leader_lock=CallLog("leader_lock", []),  # type: ignore[arg-type]
            tables=TABLES,
        )

    def _answer(self, call: str) -> Any:
        self.calls.append(call)
        answers = self._answers[call]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_the_fence_follows_the_beginning_of_the_start() -> None:
    """From the beginning on, an earlier start can add no claim; the fence then undoes what it has claimed before."""
    parts = Parts()

    assert "trim-horizon" == parts.admission.admit("now", never)
    assert ["agree", "begin", "fence"] == parts.calls


def test_each_step_is_repeated_until_it_is_done() -> None:
    """A daemon that starts before would act beside an earlier start."""
    parts = Parts(agree=[None, FAILED, "7"], begin=[False, FAILED, True], fence=[FAILED, 0])

    assert "7" == parts.admission.admit("now", never)
    assert ["agree"] * 3 + ["begin"] * 3 + ["fence"] * 2 == parts.calls


@pytest.mark.parametrize(
    ("step", "calls"),
    [
        ({"agree": [None]}, ["agree"]),
        ({"begin": [False]}, ["agree", "begin"]),
        ({"fence": [FAILED]}, ["agree", "begin", "fence"]),
    ],
    ids=["agree", "begin", "fence"],
)
def test_a_stop_ends_the_admission(step: dict[str, Any], calls: list[str]) -> None:
    """Nothing is started."""
    parts = Parts(**step)

    assert parts.admission.admit("now", lambda _: True) is None
    assert calls == parts.calls


@pytest.mark.parametrize(("expected", "answer"), [(7, 7), (0, FAILED)])
def test_shards_that_cannot_be_counted_do_not_hinder_a_start(expected: int, answer: Any) -> None:
    assert expected == Parts(count=[answer]).admission.count_shards()
