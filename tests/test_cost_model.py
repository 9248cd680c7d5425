"""benchmarks/cost_model.py: the arithmetic of docs/performance.md's costs."""

from __future__ import annotations

import pytest
from cost_model import (
    CATCHING_UP,
    LARGE,
    SIZES,
    SMALL,
    Load,
    Size,
    dollars,
    fleet,
    is_enough,
    megabytes,
)

from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("load", "records", "flows"),
    [
        (Load(500, 10_000, 1.0, 0.0), 100, 50_000),
        (Load(25, 1000, 1.0, 0.0), 1000, 25_000),
        (Load(1, 100, 1, 0), 1000, 1000),
    ],
)
def test_a_shard_is_full_at_a_megabyte_or_a_thousand_records(load: Load, records: int, flows: int) -> None:
    assert (records, flows) == (load.records, load.flows)


@pytest.mark.parametrize(("shards", "expected"), [(1, 512 + 300 + 62), (10, 256 + 640 + 300 + 620)])
def test_memory_is_heap_jvm_and_processors(shards: int, expected: int) -> None:
    assert expected == megabytes(shards)


@pytest.mark.parametrize("shards", [1, 2, 9, 17, 100, 1000])
def test_all_shards_can_catch_up_and_an_instance_may_be_missing(shards: int) -> None:
    found = fleet(shards)
    shard = max(LARGE.cores, SMALL.cores)
    share, without_one = -(-shards // found.instances), -(-shards // (found.instances - 1))

    assert share * shard * CATCHING_UP < found.size.cores
    assert without_one * shard < found.size.cores
    assert megabytes(without_one) <= found.size.megabytes


@pytest.mark.parametrize(
    ("expected", "size", "without_one"),
    [(False, Size(4, 800), 1), (False, Size(0.01, 8192), 1), (False, SIZES[-1], 500), (True, SIZES[-1], 1)],
)
def test_an_instance_needs_memory_and_cores(expected: bool, size: Size, without_one: int) -> None:
    assert expected == is_enough(size, 1, without_one)


def test_what_one_shard_costs_by_hand() -> None:
    # Renewals, checkpoints; of two instances the signs of life; the leader's lock.
    writes = 86_400 / (10 / 3 - 0.025) + 8640 + 2 * (8640 + 28_800) + 2880
    # Two searches and looks at the lock; scans of leases and workers, and audits, each of half a unit.
    reads = 2 * (86_400 / 9.975 / 2 + 2880) + 4320 / 2 + 4320 / 2 + 720 / 2
    found = fleet(1)

    assert pytest.approx((writes, reads, 86_400)) == (found.writes, found.reads, found.get_records)
    assert pytest.approx(writes * 0.625e-6 + reads * 0.125e-6) == dollars(found)[0]
    assert (
        pytest.approx(2 * 24 * (found.size.cores * 0.04048 + found.size.megabytes / 1024 * 0.004445))
        == dollars(found)[1]
    )


def test_the_properties_are_those_of_the_template() -> None:
    lines = (ROOT / "properties/kcl.properties").read_text().splitlines()

    assert {"workerMetricsReporterFreqInMillis = 10000", "idleTimeBetweenReadsInMillis = 1000"} <= set(lines)
    assert [] == [line for line in lines if line.startswith(("failoverTimeMillis", "leaseAssignmentInterval"))]
