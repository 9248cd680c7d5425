"""The samples of a run on promtool's time line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.stretched import HISTORY, STEP, input_series, samples_of

SAMPLES = HISTORY // STEP
LAST = SAMPLES - 1
COUNTER = 'flowlog_events_total{outcome="counted"}'
GAUGE = "flowlog_shards_held{}"
MOMENT = "flowlog_inventory_source_last_success_timestamp_seconds{}"
BEGIN = 1_800_000_000


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (COUNTER, [100, 110, 120, 150], f"0+10x{LAST} {10 * SAMPLES} {10 * SAMPLES + 10} {10 * SAMPLES + 20}"),
        (COUNTER, [None, 0, 20, 50], f"0+10x{LAST} _ {10 * SAMPLES} {10 * SAMPLES + 20}"),
        (COUNTER, [None, None, None, 50], f"_x{SAMPLES} _ _ _"),
        (GAUGE, [5, 6, 7, 8], f"7+0x{LAST} 5 6 7"),
        (GAUGE, [None, None, None, 8], f"_x{SAMPLES} _ _ _"),
        (MOMENT, [BEGIN, BEGIN + 5, None, BEGIN + 5], f"0+300x{LAST} {60 * HISTORY} {60 * HISTORY + 300} _"),
    ],
    ids=["counter", "counter that begins in the quiet", "new counter", "gauge", "new gauge", "moment"],
)
def test_history_is_like_the_quiet_and_goes_over_into_the_run(
    name: str, values: Sequence[float | None], expected: str
) -> None:
    """The first ten seconds are quiet."""
    scrapes = [{} if value is None else {name: float(value)} for value in values]

    (series,) = input_series(scrapes, BEGIN, 10)

    assert name == series["series"]
    assert series["values"].startswith(f"{expected} ")


def test_what_no_rule_uses_is_left_out() -> None:
    assert [] == input_series([{"flowlog_build_info{}": 1.0}], BEGIN, 0)


def test_a_page_is_an_instance_that_is_up() -> None:
    page = '# TYPE flowlog_events_total counter\nflowlog_events_total{outcome="counted"} 7\n'

    assert {
        'flowlog_events_total{instance="a",job="j",outcome="counted"}': 7,
        'up{instance="a",job="j"}': 1,
    } == samples_of(page, job="j", instance="a")
