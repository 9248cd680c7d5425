"""benchmarks/peers.py: a peer that counts otherwise than the product ends the comparison."""

from __future__ import annotations

from typing import Any

import peers
import pytest
from counting import FLOOR, Case

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta, RejectedPort, Traffic

CASE = Case(500, 200)
TUNED = {
    "traffic": [{"labels": ["subnet-1", "egress", "accept", "tcp", "internet"], "sums": [1, 2, 80]}],
    "rejected_ports": [{"labels": ["subnet-1", "ingress", "tcp", "22"], "flows": 3}],
    "delays": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    "events": {"counted": 1, "nodata": 4},
}


class FakePeer:
    def __init__(self, totals: Any, records: int = 5) -> None:
        self.records = records
        self._totals = totals

    def totals(self) -> Any:
        return self._totals


def counted(octets: int = 80) -> Delta:
    delta = Delta()
    delta.add_flow(Traffic("subnet-1", "egress", "accept", "tcp", "internet"), 2, octets)
    delta.rejected_ports[RejectedPort("subnet-1", "ingress", "tcp", "22")] = 3
    delta.observe(counts.EVENT_DELAY, 31.0)
    delta.add(counts.EVENTS, "counted", 1)
    delta.add(counts.EVENTS, "nodata", 4)
    return delta


def check(delta: Delta, lines: int) -> None:
    found: Any = {"Go, tuned": FakePeer(TUNED), "Go, as in 2016": FakePeer({"events": {"OK": lines}})}
    peers.check(CASE, peers.totals_of(delta), found)


def test_equal_totals_pass() -> None:
    check(counted(), 5)


@pytest.mark.parametrize(
    ("delta", "lines", "message"), [(counted(81), 5, "differ in traffic"), (counted(), 4, "has not counted all lines")]
)
def test_other_totals_end_the_comparison(delta: Delta, lines: int, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        check(delta, lines)


def test_the_table_shows_microseconds_and_multiples_of_gunzip() -> None:
    times = dict(zip((FLOOR, *peers.PATHS), (0.2, 1.0, 6.0, 0.9, 90.0), strict=True))

    assert "| 500 | 200 | 0.20 | 1.00 (5.0) | 6.00 (30.0) | 0.90 (4.5) | 90.00 (450.0) |" == peers.row(CASE, times)
