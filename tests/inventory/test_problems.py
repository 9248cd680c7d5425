"""Each problem of an inventory is one warning."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kcl_flowlog.counting.subnets import Source
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
            [("lines are read in the format of --flow-log-format or else in the default format", "FlowLogs")],
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
