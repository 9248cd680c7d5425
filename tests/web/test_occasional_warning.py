"""A warning that is logged at most once a minute."""

from __future__ import annotations

import pytest

from kcl_flowlog.web.occasional_warning import OccasionalWarning


def test_a_warning_is_logged_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Each line says how often it happened since the line before; each message has its own minute."""
    times = iter((0.0, 1.0, 59.0, 60.0, 61.0, 200.0, 201.0))
    warn = OccasionalWarning(lambda: next(times))

    for _ in range(6):
        warn("Full", network="a")
    warn("Broken")

    assert [("Full", 1), ("Full", 3), ("Full", 2), ("Broken", 1)] == [
        (record.getMessage(), record.fields["times"])  # type: ignore[attr-defined]
        for record in caplog.records
    ]
