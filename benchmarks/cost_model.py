"""What a fleet costs in a day at full rate: instances, requests to DynamoDB and Kinesis, dollars.

Pure arithmetic on figures that were measured, properties of the KCL, and list prices, each with where it comes from.
`python benchmarks/cost_model.py` prints the tables of docs/performance.md, and a test compares them. Knows nothing of
discounts, other regions, and what does not depend on this product, such as CloudWatch Logs and Prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

DAY = 86_400
SHARDS = (1, 10, 100, 1000)


class Load(NamedTuple):
    """A shard at its full rate of 1 MB/s or 1,000 records/s: log events of a record, its bytes, CPU of an event in µs."""

    events: int
    record_bytes: int
    processor: float
    jvm: float

    @property
    def records(self) -> float:
        """Kinesis records in a second."""
        return min(1000.0, 1_000_000 / self.record_bytes)

    @property
    def flows(self) -> float:
        """Flow records in a second."""
        return self.records * self.events

    @property
    def cores(self) -> float:
        """CPU seconds in a second."""
        return self.flows * (self.processor + self.jvm) / 1e6


# Bytes: benchmarks/flow_logs.py, which gzip makes shorter than most real traffic. CPU: benchmarks/stream.py.
LARGE = Load(500, 12_772, 1.5, 0.3)
SMALL = Load(25, 977, 3.0, 0.6)
CATCHING_UP = 2
"""A shard gives 2 MB/s, twice what it takes."""


class Size(NamedTuple):
    """A size of instance: cores, MB of memory."""

    cores: float
    megabytes: int


SIZES = (Size(0.5, 1024), Size(1, 2048), Size(2, 4096), Size(4, 8192))
"""Sizes that Fargate has; the smallest that is enough is taken."""
BUSY = 0.8
"""How much of its cores an instance may use while it catches up."""
JVM_BESIDES_HEAP = 300
PROCESSOR = 62
"""Megabytes under load."""
LARGEST_SHARE = 16
"""Shards for an instance of the largest size: more of them would make a larger part of the stream wait for its restart."""


class Requests(NamedTuple):
    """Requests that come again and again: what makes them, how many seconds apart, for each of what, and their units."""

    what: str
    seconds: float
    each: str
    units: float
    source: str


FAILOVER = 10.0
# A row with its claims stays below 1 KB, the unit of a write; a read of up to 4 KB is a unit, or half if not consistent.
ROW_BYTES = 700
WRITES = (
    Requests("renewals of leases", FAILOVER / 3 - 0.025, "shard", 1, "a third of `failoverTimeMillis=10000`, less 25 ms"),
    Requests("checkpoints", 10.0, "shard", 1, "`--checkpoint-interval`"),
    Requests("signs of life", 3.0, "instance", 1, "`launcher/start_record.py`"),
    Requests("throughput of the worker", 10.0, "instance", 1, "`workerMetricsReporterFreqInMillis=10000`"),
    Requests("lock of the leader", 30.0, "fleet", 1, "fixed in the KCL"),
)
READS = (
    Requests("search for own leases", FAILOVER - 0.025, "instance", 0.5, "half of `leaseAssignmentIntervalMillis=20000`"),
    Requests("looks at the leader's lock", 30.0, "instance", 1, "fixed in the KCL"),
    Requests("scan of all leases, for the leader", 2 * FAILOVER, "shard", ROW_BYTES / 4096 / 2, "`leaseAssignmentIntervalMillis`"),
    Requests("scan of all leases, for the audit", 120.0, "shard", ROW_BYTES / 4096 / 2, "fixed in the KCL"),
)
GET_RECORDS = Requests("GetRecords", 1.0, "shard", 1, "`idleTimeBetweenReadsInMillis=1000`")


class Prices(NamedTuple):
    """List prices in dollars, in us-east-1."""

    write_units: float = 0.625 / 1e6
    read_units: float = 0.125 / 1e6
    core_hour: float = 0.04048
    gigabyte_hour: float = 0.004445
    shard_hour: float = 0.015
    put_units: float = 0.014 / 1e6


class Fleet(NamedTuple):
    """Instances that read a stream, and what they ask for in a day."""

    shards: int
    instances: int
    size: Size
    writes: float
    reads: float
    get_records: float


def megabytes(shards: int) -> int:
    """Return the memory of an instance with this many shards: heap, the rest of the JVM, processors."""
    return max(512, 256 + 64 * shards) + JVM_BESIDES_HEAP + PROCESSOR * shards


def is_enough(size: Size, shards: int) -> bool:
    """Tell whether an instance can hold so many shards that all catch up."""
    cores = max(LARGE.cores, SMALL.cores) * shards * CATCHING_UP
    return cores <= BUSY * size.cores and megabytes(shards) <= size.megabytes


def fleet(shards: int) -> Fleet:
    """Return the smallest fleet that can lose an instance."""
    most = max(number for number in range(1, LARGEST_SHARE + 1) if is_enough(SIZES[-1], number))
    needed = math.ceil(shards / most)
    share = math.ceil(shards / needed)
    size = next(size for size in SIZES if is_enough(size, share))
    instances = needed + 1
    numbers = {"shard": shards, "instance": instances, "fleet": 1}
    return Fleet(
        shards, instances, size, _a_day(WRITES, numbers), _a_day(READS, numbers), _a_day([GET_RECORDS], numbers)
    )


def _a_day(requests: Iterable[Requests], numbers: dict[str, int]) -> float:
    return sum(DAY / each.seconds * each.units * numbers[each.each] for each in requests)


def dollars(of: Fleet, prices: Prices) -> tuple[float, float, float]:
    """Return what DynamoDB, the instances and the stream cost in a day."""
    hour = of.size.cores * prices.core_hour + of.size.megabytes / 1024 * prices.gigabyte_hour
    # A record of up to 25 KB is a unit.
    put_units = max(SMALL.records, LARGE.records * math.ceil(LARGE.record_bytes / 25_000)) * DAY
    return (
        of.writes * prices.write_units + of.reads * prices.read_units,
        of.instances * 24 * hour,
        of.shards * (24 * prices.shard_hour + put_units * prices.put_units),
    )
