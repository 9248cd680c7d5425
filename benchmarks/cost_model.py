"""What a fleet costs in a day at full rate: instances, requests to DynamoDB and Kinesis, dollars.

Pure arithmetic on figures that were measured, properties of the KCL, and list prices, each with where it comes from.
`python benchmarks/cost_model.py` prints the tables of docs/performance.md, and a test compares them. Knows nothing of
discounts, other regions, and what does not depend on this product, such as CloudWatch Logs and Prometheus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from kcl_flowlog.config import settings
from kcl_flowlog.launcher.start_record import BEAT_INTERVAL
from kcl_flowlog.values import parse_duration

DAY = 86_400
SHARDS = (1, 10, 100, 1000)


class Load(NamedTuple):
    """A shard that is full, with 1 MB/s or 1,000 records/s: events of a record, its bytes, CPU of an event in µs."""

    events: int
    record_bytes: int
    processor: float
    daemon: float

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
        return self.flows * (self.processor + self.daemon) / 1e6


# Bytes: benchmarks/flow_logs.py, which gzip makes shorter than most real traffic. CPU: benchmarks/stream.py.
LARGE = Load(500, 12_772, 1.4, 0.6)
SMALL = Load(25, 977, 3.0, 0.9)
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
"""Shards of the largest instance: with more, a larger part of the stream would wait for its restart."""


class Requests(NamedTuple):
    """Requests that come again and again: what for, how many seconds apart, for each of what, and their units."""

    what: str
    seconds: float
    each: str
    units: float
    source: str


FAILOVER = 10.0
"""The KCL's default."""
CHECKPOINTS = parse_duration(settings()["checkpoint_interval"].default or "")
WORKERS = 10.0
"""As in properties/kcl.properties."""
# A write of up to 1 KB is a unit, and a row with its claims stays below that. A read of 4 KB is half a unit unless it
# is consistent; scans read many rows at a time.
ROW = 1 / 4 / 2
WRITES = (
    Requests("renewals of leases", FAILOVER / 3 - 0.025, "shard", 1, "a third of `failoverTimeMillis=10000`"),
    Requests("checkpoints", CHECKPOINTS, "shard", 1, "`--checkpoint-interval`"),
    Requests("signs of life of a worker", WORKERS, "instance", 1, "`workerMetricsReporterFreqInMillis`"),
    Requests("signs of life of a start", BEAT_INTERVAL, "instance", 1, "`launcher/start_record.py`"),
    Requests("lock of the leader", 30.0, "fleet", 1, "the KCL"),
)
READS = (
    Requests("search for own leases", FAILOVER - 0.025, "instance", 0.5, "half of `leaseAssignmentIntervalMillis`"),
    Requests("looks at the leader's lock", 30.0, "instance", 1, "the KCL"),
    Requests("the leader's scans of leases", 2 * FAILOVER, "shard", ROW, "twice `failoverTimeMillis`"),
    Requests("the leader's scans of workers", 2 * FAILOVER, "instance", ROW, "the same"),
    Requests("the leader's audits of leases", 120.0, "shard", ROW, "the KCL"),
)
GET_RECORDS = Requests("GetRecords", 1.0, "shard", 0, "`idleTimeBetweenReadsInMillis=1000`")


class Price(NamedTuple):
    """A list price in dollars, in us-east-1: what for, how much of it, and since when it is known."""

    what: str
    dollars: float
    unit: float
    known: str


PRICES = {
    "write": Price("DynamoDB on demand, a million write units", 0.625, 1e6, "since November 2024"),
    "read": Price("DynamoDB on demand, a million read units", 0.125, 1e6, "since November 2024"),
    "core": Price("Fargate, Linux on x86, an hour of a vCPU", 0.04048, 1, "March 2026"),
    "gigabyte": Price("Fargate, an hour of a GB", 0.004445, 1, "March 2026"),
    "shard": Price("Kinesis, provisioned, an hour of a shard", 0.015, 1, "a public note without a date"),
    "put": Price("Kinesis, a million PUT payload units of 25 KB", 0.014, 1e6, "the same"),
}


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


def is_enough(size: Size, share: int, without_one: int) -> bool:
    """Tell whether an instance can hold its share of shards that catch up, and more of them that do not."""
    shard = max(LARGE.cores, SMALL.cores)
    busiest = max(CATCHING_UP * share, without_one) * shard
    return busiest <= BUSY * size.cores and megabytes(without_one) <= size.megabytes


def fleet(shards: int) -> Fleet:
    """Return the fleet with the fewest instances, two at least."""
    instances, size = next(_fleets(shards))
    numbers = {"shard": shards, "instance": instances, "fleet": 1}
    get_records = DAY / GET_RECORDS.seconds * shards
    return Fleet(shards, instances, size, _units(WRITES, numbers), _units(READS, numbers), get_records)


def _fleets(shards: int) -> Iterator[tuple[int, Size]]:
    for instances in count(max(2, math.ceil(shards / LARGEST_SHARE))):
        share, without_one = math.ceil(shards / instances), math.ceil(shards / (instances - 1))
        yield from ((instances, size) for size in SIZES if is_enough(size, share, without_one))


def _units(requests: Iterable[Requests], numbers: dict[str, int]) -> float:
    # A scan reads all rows in one request, which counts in half units.
    return sum(DAY / each.seconds * math.ceil(2 * each.units * numbers[each.each]) / 2 for each in requests)


def dollars(of: Fleet) -> tuple[float, float, float]:
    """Return what DynamoDB, the instances and the stream cost in a day."""
    price = {name: each.dollars / each.unit for name, each in PRICES.items()}
    hour = of.size.cores * price["core"] + of.size.megabytes / 1024 * price["gigabyte"]
    # A record of up to 25 KB is a unit.
    put_units = LARGE.records * math.ceil(LARGE.record_bytes / 25_000) * DAY
    return (
        of.writes * price["write"] + of.reads * price["read"],
        of.instances * 24 * hour,
        of.shards * (24 * price["shard"] + put_units * price["put"]),
    )


def requests_table() -> str:
    """Return the table of the requests that make up a day."""
    lines = ["| request | for each | a day | units of each | how often |", "| --- | --- | --- | --- | --- |"]
    for kind, requests in (("write", WRITES), ("read", READS), ("Kinesis", (GET_RECORDS,))):
        for each in requests:
            units = f"{each.units:g} {kind}" if each.units else "free"
            lines.append(
                f"| {each.what} | {each.each} | {DAY / each.seconds:,.0f} | {units}"
                f" | each {each.seconds:.4g} s: {each.source} |"
            )
    return "\n".join(lines)


def fleet_table() -> str:
    """Return the table of fleets and their costs."""
    lines = [
        "| shards | flow records/s | instances | each | write units a day | read units a day | GetRecords a day"
        " | DynamoDB, $ a day | instances, $ a day | the stream itself, $ a day |",
        "| --- " * 10 + "|",
    ]
    for shards in SHARDS:
        of = fleet(shards)
        size = f"{of.size.cores:g} vCPU, {of.size.megabytes // 1024} GB"
        requests = " | ".join(f"{number / 1e6:,.2f} M" for number in (of.writes, of.reads, of.get_records))
        costs = " | ".join(f"{cost:,.2f}" for cost in dollars(of))
        flows = LARGE.flows * shards / 1e6
        lines.append(f"| {shards:,} | {flows:,.2f} M | {of.instances} | {size} | {requests} | {costs} |")
    return "\n".join(lines)


def prices_table() -> str:
    """Return the table of list prices."""
    lines = ["| list price in us-east-1 | $ | as known |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {each.what} | {each.dollars:g} | {each.known} |" for each in PRICES.values()])


if __name__ == "__main__":
    print(requests_table(), fleet_table(), prices_table(), sep="\n\n")
