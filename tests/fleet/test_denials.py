"""Denials of a fleet: from the envelopes, from the written lines, and through a slow reader."""

from __future__ import annotations

import random
from pathlib import Path

from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.tally import Tally
from tests.fleet.denials import Denied, denied_of, written
from tests.fleet.stdout import Reader
from tests.support.waiting import eventually

LINE = (
    '{"time":"2026-01-01T00:00:00.000Z","event":"reject","interface_id":"eni-1","protocol":"tcp","srcaddr":"10.0.0.1",'
    '"srcport":1,"dstaddr":"10.0.0.2","dstport":22,"packets":3,"bytes":40,"start":"2026-01-01T00:00:00.000Z",'
    '"end":"2026-01-01T00:01:00.000Z"}'
)
DENIED = Denied("eni-1", "10.0.0.1", "10.0.0.2", 1, 22, 3, 40, "2026-01-01T00:00:00", "2026-01-01T00:01:00")


def test_a_line_that_is_cut_off_is_not_written() -> None:
    """Only whole lines count."""
    assert {DENIED} == written(f"{LINE[:50]}\n{LINE}\n{LINE[:-1]}")


def test_a_payload_that_is_not_an_envelope_holds_no_denial() -> None:
    """The record that kills is such a payload."""
    assert [] == list(denied_of([Envelope("x", b"arsenic", Tally())]))


def test_a_slow_reader_loses_nothing(tmp_path: Path) -> None:
    """What is written while the reader reads little or nothing arrives in order."""
    reader = Reader(tmp_path / "stdout")
    text = random.Random(1).randbytes(20_000).hex().encode()
    reader.slow_down(may_sip=False)
    with reader.open() as pipe:
        pipe.write(text[:10_000])
        reader.slow_down(may_sip=True)
        pipe.write(text[10_000:])
        reader.speed_up()

    assert eventually(lambda: reader.text() == text.decode() + "\n")
