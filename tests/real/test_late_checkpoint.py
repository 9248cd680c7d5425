"""Through the real MultiLangDaemon: a checkpoint that is written after the KCL gave its lease up and found it again."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.late_checkpoint import RENEWALS_WAIT, LateCheckpoint
from tests.support.scenario import new_scenario
from tests.support.waiting import eventually

# The KCL gives a request up only after minutes. tests/launcher/test_late_checkpoints.py plays the same on a fake clock.
pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif("LONG_TESTS" not in os.environ, reason="takes six minutes; set LONG_TESTS=1"),
]
# Seconds; two requests of the KCL that time out, a new daemon, and renewals that wait.
_ARRIVES_WITHIN = 900.0


def test_a_checkpoint_that_arrives_late_changes_no_count(tmp_path: Path) -> None:
    """It arrives right after the next holder's claim, and that holder dies before its first commit."""
    intervals = (f"failoverTimeMillis={2000 * RENEWALS_WAIT:.0f}", "leaseAssignmentIntervalMillis=10000")
    options = tuple(part for pair in intervals for part in ("--kcl-property", pair))
    with new_scenario(tmp_path, options) as scenario:
        behind = urlsplit(scenario.aws.environment()["AWS_ENDPOINT_URL"]).port
        assert behind is not None
        with LateCheckpoint(behind) as late:
            scenario.instance.use({"AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{late.port}"})
            late.armed = True
            scenario.put(500)
            scenario.instance.start()
            assert eventually(late.arrived.is_set, _ARRIVES_WITHIN), scenario.instance.log
            scenario.instance.order("counted kill-processor")
            scenario.put(500)

            scenario.verify_counts()

            assert not scenario.instance.fault.exists()
            assert 400 == late.arrived_with
