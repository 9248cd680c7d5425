"""Through the real MultiLangDaemon: a record that kills its processor, and a processor that hangs."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

import pytest

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.tally import Tally
from tests.support.story import telling

pytestmark = pytest.mark.daemon

POISON = b"arsenic in the payload"


def test_a_record_that_kills_is_skipped(tmp_path: Path) -> None:
    """Its shard goes on, the whole record is the only dead letter, and the metrics say so."""
    with telling(tmp_path) as story:
        story.put(500)
        story.instance.start()
        story.verify_counts()
        story.instance.order("payload kill-processor arsenic")
        story.put_envelopes([Envelope("eni-x-all", POISON, Tally(payloads=Counter({"malformed": 1})))])
        story.put(500)

        page = story.verify_counts()

        assert {"payload_poison": 1} == page.malformed
        letters = [json.loads(line) for line in (story.instance.state / "dead-letters.jsonl").read_text().splitlines()]
        assert [(POISON, "payload_poison")] == [(base64.b64decode(row["body"]), row["reason"]) for row in letters]


def test_a_processor_that_hangs_is_replaced(tmp_path: Path) -> None:
    """It is killed after --stuck-after, and the next processor counts its records."""
    with telling(tmp_path, ("--stuck-after", "5s")) as story:
        story.put(500)
        story.instance.start()
        story.verify_counts()
        with story.daemon_ends():
            story.instance.order("payload hang arsenic")
            story.put_envelopes([Envelope("eni-x-all", POISON, Tally(payloads=Counter({"malformed": 1})))])
        story.instance.fault.unlink()
        story.put(500)

        page = story.verify_counts()

        assert {"payload_encoding": 1} == page.malformed
