"""Through the real MultiLangDaemon: a record that kills its processor, and a processor that hangs."""

from __future__ import annotations

import base64
from collections import Counter
from pathlib import Path

import pytest

from kcl_flowlog.commits.deaths import DEATHS
from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.tally import Tally
from tests.support.instance import PAGE_TIMEOUT
from tests.support.scenario import new_scenario
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon

POISON = b"arsenic in the payload"
LIVES = 8
"""After at most this many lives of instances without volumes, a record that kills them is skipped."""


def test_a_record_that_kills_is_skipped(tmp_path: Path) -> None:
    """Its shard goes on, the whole record is the only dead letter, and the metrics say so."""
    with new_scenario(tmp_path) as scenario:
        scenario.put(500)
        scenario.instance.start()
        scenario.verify_counts()
        scenario.instance.order("payload kill-processor arsenic")
        scenario.put_envelopes([Envelope("eni-x-all", POISON, Tally(payloads=Counter({"malformed": 1})))])
        scenario.put(500)

        page = scenario.verify_counts()

        assert {"payload_poison": 1} == page.malformed
        letters = scenario.instance.dead_letters()
        assert [(POISON, "payload_poison")] == [(base64.b64decode(row["body"]), row["reason"]) for row in letters]


def test_a_record_that_kills_whole_instances_is_skipped(tmp_path: Path) -> None:
    """Nothing is left of each life but its worker id, with which the next life has its leases back at once."""
    with new_scenario(tmp_path) as scenario:
        instance = scenario.instance
        instance.order("payload kill-all arsenic")
        scenario.put(100)
        scenario.put_envelopes([Envelope("eni-x-all", POISON, Tally(payloads=Counter({"malformed": 1})))])
        scenario.put(100)
        lives = 0
        is_skipped = False
        while not is_skipped:
            lives += 1
            assert lives <= LIVES, instance.log
            if instance.state.exists():
                worker_id = (instance.state / "worker-id").read_bytes()
                instance.state.rename(tmp_path / f"life-{lives - 1}")
                instance.state.mkdir()
                (instance.state / "worker-id").write_bytes(worker_id)
                # Without its start record, a life need not wait until the life before has been silent for long.
                scenario.aws.client("dynamodb").delete_item(
                    TableName="real-test-CoordinatorState",
                    Key={"key": {"S": f"flowlog-instance/{worker_id.decode().strip()}"}},
                )
            instance.start()
            assert eventually(lambda: "Record skipped" in instance.log or not instance.is_running, PAGE_TIMEOUT)
            is_skipped = "Record skipped" in instance.log

        instance.wait_for("the dead letter", lambda page: page.malformed == {"payload_poison": 1})
        # The launcher writes it down after the page shows it.
        assert eventually((instance.state / "dead-letters.jsonl").exists, PAGE_TIMEOUT)

        letters = instance.dead_letters()
        assert [(POISON, "payload_poison")] == [(base64.b64decode(row["body"]), row["reason"]) for row in letters]
        assert DEATHS < lives


def test_a_processor_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It is killed after --stuck-after, and the next processor counts its records."""
    with new_scenario(tmp_path, ("--stuck-after", "5s")) as scenario:
        scenario.put(500)
        scenario.instance.start()
        scenario.verify_counts()
        with scenario.daemon_ends():
            scenario.instance.order("payload hang arsenic")
            scenario.put_envelopes([Envelope("eni-x-all", POISON, Tally(payloads=Counter({"malformed": 1})))])
        scenario.instance.fault.unlink()
        scenario.put(500)

        page = scenario.verify_counts()

        assert {"payload_encoding": 1} == page.malformed
