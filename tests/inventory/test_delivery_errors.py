"""The reason by which a flow log fails, from what EC2 says."""

from __future__ import annotations

import pytest

from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS, delivery_error


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({}, ""),
        ({"DeliverLogsStatus": "SUCCESS"}, ""),
        ({"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error"}, "access_error"),
        ({"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Rate limited"}, "rate_limited"),
        ({"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Unknown error"}, "unknown_error"),
        ({"DeliverLogsErrorMessage": "rate limited "}, "rate_limited"),
        ({"DeliverLogsStatus": "FAILED"}, "unknown_error"),
        ({"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "A word of next year"}, "unknown_error"),
    ],
)
def test_each_failure_has_a_reason_of_the_table(item: dict[str, str], reason: str) -> None:
    """Also a failure that EC2 does not explain, or in other words than today."""
    assert reason == delivery_error(item)
    assert reason in ("", *DELIVERY_ERRORS)
