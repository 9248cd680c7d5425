"""benchmarks/pipeline_cost.py: the arithmetic of docs/aws-cost.md."""

from __future__ import annotations

import gzip
import random

import flow_logs
import pytest
from pipeline_cost import DEFAULT, GB, ITEMS, MONTH, RECOMMENDED, STORED, Case, Format, delivery, stream

from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT

TB = 1024 * GB
# What the recommended format has after the default fields: of a flow that nothing is known about but where it was.
FURTHER = "vpc-0c4e8a1f2b6d73950 subnet-0b1f5d2c7a9e40831 euc1-az2 {} {} {} {} - - -"


@pytest.mark.parametrize(
    ("expected", "terabytes"), [(0, 0), (512, 1), (5120, 10), (5120 + 256, 11), (5120 + 5120 + 2048 + 51.2, 51)]
)
def test_delivery_is_charged_tier_by_tier(expected: float, terabytes: float) -> None:
    assert pytest.approx(expected) == delivery(terabytes * TB)


def test_a_case_by_hand() -> None:
    case = Case(interfaces=6000, flows=30)
    # 100 records of 370 and 30 × 33 bytes in a second, 3 times that at the peak, on two shards.
    puts = 100 * 2_592_000

    assert (3000, 100, 1360, 2) == (case.records, case.payloads, case.payload, case.shards)
    assert pytest.approx(3000 * 205 * 2_592_000) == case.delivered
    assert pytest.approx(2 * 720 * 0.015 + puts * 0.014e-6) == stream(case)


def test_no_item_is_free_or_negative() -> None:
    assert [] == [name for name, item in ITEMS.items() if item(Case(10, 1)) <= 0]


def lines(count: int, rng: random.Random) -> list[tuple[str, str]]:
    """Return flow records of an interface, each in the default and in the recommended format."""
    traffic = flow_logs.Traffic(rng)
    near = [f"10.0.2.{number}" for number in range(4, 44)]
    flows = (traffic.flow("eni-0123456789abcdef0", "10.0.1.5", near, flow_logs.BEGIN) for _ in range(2 * count))
    made = []
    for flow in [flow for flow in flows if not flow.is_nodata][:count]:
        direction, path = ("egress", rng.choice("178")) if flow.is_egress else ("ingress", "-")
        made.append((flow.line, f"10{flow.line[1:]} {FURTHER.format(direction, path, flow.source, flow.target)}"))
    return made


@pytest.mark.parametrize(("form", "which"), [(DEFAULT, 0), (RECOMMENDED, 1)])
@pytest.mark.parametrize("count", [20, 200])
def test_the_sizes_are_those_of_such_records(form: Format, which: int, count: int) -> None:
    """Within a fifth: they depend on the traffic."""
    texts = [each[which] for each in lines(count, random.Random(1))]
    events = [
        {"id": f"{3 * 10**55 + number * 9973}", "timestamp": 0, "message": text} for number, text in enumerate(texts)
    ]
    envelope = flow_logs.envelope("eni-0123456789abcdef0", events)

    assert len(RECOMMENDED_FORMAT.split()) == len(lines(1, random.Random(1))[0][1].split())
    assert pytest.approx(form.line, rel=0.2) == sum(map(len, texts)) / count
    assert pytest.approx(form.record + form.compressed_line * count, rel=0.2) == len(gzip.compress(envelope, 6))


def test_what_is_stored_is_compressed_like_a_record() -> None:
    case = Case(1, 50)

    assert pytest.approx(STORED, rel=0.1) == case.payload / (50 * case.format.line)
    assert 30 * 86_400 == MONTH
