"""Through the real MultiLangDaemon: a record that kills, and a processor that hangs, stop no shard for ever."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.truth import Truth
from tests.support.story import telling

pytestmark = pytest.mark.daemon

POISON = b"arsenic in the payload"
PATIENCE = 60.0


def test_a_record_that_kills_is_passed_over(tmp_path: Path) -> None:
    """Its shard goes on within a minute; that record, whole, is the only dead letter, and the metrics tell."""
    with telling(tmp_path) as story:
        story.put(500)
        story.instance.start()
        story.counts_all()
        story.instance.order("payload kill-processor arsenic")
        story.put_envelopes([Envelope("eni-x-all", POISON, Truth(payloads=Counter({"malformed": 1})))])
        story.put(500)
        begin = time.monotonic()

        page = story.counts_all()

        assert time.monotonic() - begin < PATIENCE
        assert page.malformed == {"payload_poison": 1}
        letters = [json.loads(line) for line in (story.instance.state / "dead-letters.jsonl").read_text().splitlines()]
        assert [(base64.b64decode(one["body"]), one["reason"]) for one in letters] == [(POISON, "payload_poison")]
        assert "A record was passed over" in story.instance.log


def test_a_processor_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It is killed after --stuck-after, and its records are counted by the next one."""
    with telling(tmp_path, ("--stuck-after", "5s")) as story:
        story.put(500)
        story.instance.start()
        story.counts_all()
        story.instance.order("payload hang arsenic")
        story.put_envelopes([Envelope("eni-x-all", POISON, Truth(payloads=Counter({"malformed": 1})))])
        story.instance.wait_for("the end of the daemon", lambda page: not page.daemon_up)
        story.instance.fault.unlink()
        story.put(500)

        page = story.counts_all()

        assert page.malformed == {"payload_encoding": 1}
        assert "has not called back for over 5 s" in story.instance.log
