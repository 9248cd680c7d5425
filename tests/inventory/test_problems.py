"""Each problem of an inventory is one warning."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kcl_flowlog.counting.subnets import Source
from kcl_flowlog.inventory.coverage import Coverage, FailingFlowLog
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.inventory.problems import ProblemLog
from tests.support.logs import events

TWICE = "Two flow logs record the same traffic, which counts twice"


def overlaps(count: int) -> list[Overlap]:
    return [Overlap("fl-0", f"fl-{number}", True) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Source("here"), []),
        (
            Source("here", interfaces_listed=False),
            [("interfaces are recognised by their records, some of which stay unattributed", "NetworkInterfaces")],
        ),
        (
            Source("here", flow_logs_listed=False),
            [
                (
                    "lines are read in the format of --flow-log-format or else in the default format, and failing flow"
                    " logs and subnets without flow logs are unknown",
                    "FlowLogs",
                )
            ],
        ),
        (Source("here", vpcs_listed=False), [("flowlog_subnet_info has no names of VPCs", "Vpcs")]),
    ],
)
def test_a_missing_permission_is_one_warning(
    source: Source, expected: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """It names the action, the source and the consequence, and is not repeated."""
    problems = ProblemLog([])

    for _ in range(3):
        problems.log_missing_permissions([source])

    assert [
        (logging.WARNING, f"Missing permission; {consequence}", {"action": f"ec2:Describe{action}", "source": "here"})
        for consequence, action in expected
    ] == events(caplog)


def test_each_source_and_each_permission_has_its_own_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A second account with the same problem is news."""
    ProblemLog([]).log_missing_permissions(
        [Source(key, interfaces_listed=False, flow_logs_listed=False) for key in ("here", "there")]
    )

    assert [
        ("ec2:DescribeNetworkInterfaces", "here"),
        ("ec2:DescribeFlowLogs", "here"),
        ("ec2:DescribeNetworkInterfaces", "there"),
        ("ec2:DescribeFlowLogs", "there"),
    ] == [(fields["action"], fields["source"]) for _, _, fields in events(caplog)]


@pytest.mark.parametrize(
    ("same_log_group", "message"),
    [
        (True, f"{TWICE}; delete one of them"),
        (False, f"{TWICE} if both log groups are subscribed to the stream; delete one of them"),
    ],
)
def test_an_overlap_is_one_warning(same_log_group: bool, message: str, caplog: pytest.LogCaptureFixture) -> None:
    """It names both flow logs, and is not repeated."""
    problems = ProblemLog([])
    overlap = Overlap("fl-1", "fl-2", same_log_group)

    problems.log_overlaps([overlap])
    problems.log_overlaps([])
    problems.log_overlaps([overlap])

    assert [(logging.WARNING, message, {"flow_log": "fl-2", "overlaps_with": "fl-1"})] == events(caplog)


@pytest.mark.parametrize(("count", "more"), [(5, None), (6, 1), (10, 5)])
def test_at_most_five_overlaps_are_logged_at_once(
    count: int, more: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest is a number."""
    ProblemLog([]).log_overlaps(overlaps(count))

    last = [] if more is None else [("More flow logs record the same traffic", {"pairs": more})]
    logged: list[tuple[str, dict[str, Any]]] = [(message, fields) for _, message, fields in events(caplog)]
    assert 5 + len(last) == len(logged)
    assert last == logged[5:]


def test_an_overlap_known_from_the_run_before_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Only the new pair is."""
    known = overlaps(1)

    ProblemLog(known).log_overlaps(overlaps(2))

    assert ["fl-2"] == [fields["flow_log"] for _, _, fields in events(caplog)]


def failing(count: int) -> tuple[FailingFlowLog, ...]:
    return tuple(FailingFlowLog(f"fl-{number}", "access_error") for number in range(1, count + 1))


def test_a_failing_flow_log_is_one_warning_until_it_delivers_again(caplog: pytest.LogCaptureFixture) -> None:
    """It names the flow log, the reason and what to do."""
    problems = ProblemLog([])

    for coverage in (failing(1), failing(1), (), failing(1)):
        problems.log_coverage(Coverage(coverage, ()))

    message = f"A flow log does not deliver its records: {DELIVERY_ERRORS['access_error']}"
    assert [(logging.WARNING, message, {"flow_log": "fl-1", "reason": "access_error"})] * 2 == events(caplog)


def test_at_most_five_failing_flow_logs_are_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """The rest is a number."""
    ProblemLog([]).log_coverage(Coverage(failing(7), None))

    *_, last = events(caplog)
    assert 6 == len(events(caplog))
    assert (logging.WARNING, "More flow logs do not deliver their records", {"flow_logs": 2}) == last


def test_new_subnets_without_a_flow_log_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """At INFO: it may be meant so."""
    problems = ProblemLog([])

    with caplog.at_level(logging.INFO):
        for uncovered in (("subnet-1",), ("subnet-1",), ("subnet-1", "subnet-3", "subnet-2"), (), None):
            problems.log_coverage(Coverage((), uncovered))

    assert [{"subnets": 1, "among_them": "subnet-1"}, {"subnets": 3, "among_them": "subnet-2,subnet-3"}] == [
        fields for _, _, fields in events(caplog)
    ]


def test_an_ec2_out_of_reach_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often it is read; another error is named, too, and the end of it."""
    caplog.set_level(logging.INFO)
    problems, here = ProblemLog([]), Source("here")

    for error in ("Timeout.", "Timeout.", "Timeout.", "Refused."):
        problems.log_unread(here, error)
    for _ in range(2):
        problems.note_read(here)

    assert [
        (logging.WARNING, {"source": "here", "error": "Timeout."}),
        (logging.WARNING, {"source": "here", "error": "Refused."}),
        (logging.INFO, {"source": "here"}),
    ] == [(level, fields) for level, _, fields in events(caplog)]
