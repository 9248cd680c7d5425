"""What the whole pipeline costs in a month on AWS: flow logs, log group, stream, leases, instances.

Pure arithmetic on sizes that were measured and list prices, with `cost_model` for leases and instances.
`python benchmarks/pipeline_cost.py` prints the tables of docs/aws-cost.md, and a test compares them. Knows nothing of
discounts, free tiers, other regions, Prometheus, and the traffic between zones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cost_model
from cost_model import Price

GB = 2**30
DAYS = 30
MONTH = DAYS * cost_model.DAY


class Format(NamedTuple):
    """Bytes of a line; and of a Kinesis record, compressed: for each of its lines, and for itself."""

    name: str
    line: int
    compressed_line: int
    record: int


# Lines of benchmarks/flow_logs.py, 20 to 500 in a record, with ids of log events that follow each other; gzip -6.
RECOMMENDED = Format("recommended", 205, 33, 370)
DEFAULT = Format("default", 110, 27, 320)


class Tier(NamedTuple):
    """A price that holds up to a number of TB in a month."""

    terabytes: float
    dollars: float

    @property
    def name(self) -> str:
        """The part of a month's bytes that it holds for."""
        return "above 50 TB" if math.isinf(self.terabytes) else f"up to {self.terabytes:g} TB"


DELIVERY = (Tier(10, 0.50), Tier(30, 0.25), Tier(50, 0.10), Tier(math.inf, 0.05))
"""Vended logs into CloudWatch Logs, of the standard class, for a GB before compression."""
_KNOWN = "[a program of AWS](https://github.com/aws-samples/sample-cfm-tips-mcp) without a date, read in November 2026"
PRICES = (
    *(
        Price(f"CloudWatch Logs, vended logs, a GB {each.name} of the month", each.dollars, GB, _KNOWN)
        for each in DELIVERY
    ),
    Price("CloudWatch Logs, a GB kept for a month, as compressed", 0.03, GB, _KNOWN),
)
KEPT = PRICES[len(DELIVERY)]
# AWS bills what it stores, compressed, and promises no ratio; a Kinesis record of 50 lines has this one.
STORED = 0.2
WRITTEN_EACH = 60
"""Seconds between two Kinesis records of an interface, as the intervals of `--max-aggregation-interval 60`."""
PEAK = 3
"""How much more traffic the stream has to take than on average."""


class Case(NamedTuple):
    """Traffic: interfaces, and the flow records of each in a minute."""

    interfaces: int
    flows: int
    format: Format = RECOMMENDED

    @property
    def records(self) -> float:
        """Flow records in a second."""
        return self.interfaces * self.flows / 60

    @property
    def delivered(self) -> float:
        """Bytes of lines in a month."""
        return self.records * self.format.line * MONTH

    @property
    def payloads(self) -> float:
        """Kinesis records in a second."""
        return self.interfaces / WRITTEN_EACH

    @property
    def payload(self) -> float:
        """Bytes of a Kinesis record."""
        return self.format.record + self.format.compressed_line * self.flows * WRITTEN_EACH / 60

    @property
    def shards(self) -> int:
        """Shards that take the peak, two at least."""
        return max(2, math.ceil(PEAK * max(self.payloads * self.payload / 1e6, self.payloads / 1000)))


CASES = (
    Case(100, 20),
    Case(1000, 50),
    Case(1000, 50, DEFAULT),
    Case(10_000, 50),
    Case(10_000, 200),
    Case(10_000, 200, DEFAULT),
)


def delivery(size: float) -> float:
    """Return what CloudWatch Logs takes for bytes of lines in a month, tier by tier."""
    dollars, below = 0.0, 0.0
    for tier in DELIVERY:
        dollars += max(0.0, min(size, tier.terabytes * 1024 * GB) - below) / GB * tier.dollars
        below = tier.terabytes * 1024 * GB
    return dollars


def storage(case: Case) -> float:
    """Return what it takes to keep lines for a day."""
    return case.delivered / DAYS * STORED / KEPT.unit * KEPT.dollars


def stream(case: Case) -> float:
    """Return what a provisioned stream costs."""
    shard, put = cost_model.PRICES["shard"], cost_model.PRICES["put"]
    units = math.ceil(case.payload / 25_000)
    return DAYS * 24 * case.shards * shard.dollars + case.payloads * units * MONTH / put.unit * put.dollars


def leases(case: Case) -> float:
    """Return what the requests to DynamoDB cost."""
    return DAYS * cost_model.dollars(cost_model.fleet(case.shards))[0]


def instances(case: Case) -> float:
    """Return what the fleet costs on Fargate."""
    return DAYS * cost_model.dollars(cost_model.fleet(case.shards))[1]


ITEMS: dict[str, Callable[[Case], float]] = {
    "delivery": lambda case: delivery(case.delivered),
    "kept for a day": storage,
    "stream": stream,
    "leases": leases,
    "instances": instances,
}


def cases_table() -> str:
    """Return the table of cases and what each part costs."""
    heads = ["interfaces", "flow records of each, a minute", "format", "flow records/s", "GB a day", "shards"]
    heads += [f"{name}, $" for name in ITEMS] + ["total, $ a month", "$ for a million flow records"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for case in CASES:
        costs = [item(case) for item in ITEMS.values()]
        total = sum(costs)
        cells = [f"{case.interfaces:,}", f"{case.flows}", case.format.name, f"{case.records:,.0f}"]
        cells += [f"{case.delivered / DAYS / GB:,.1f}", f"{case.shards}", *(f"{cost:,.2f}" for cost in costs)]
        cells += [f"{total:,.2f}", f"{total / (case.records * MONTH / 1e6):.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def prices_table() -> str:
    """Return the table of list prices that `cost_model` lacks."""
    lines = ["| list price in us-east-1 | $ | as known |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {each.what} | {each.dollars:g} | {each.known} |" for each in PRICES])


if __name__ == "__main__":
    print(cases_table(), prices_table(), sep="\n\n")
