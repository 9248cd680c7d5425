"""CPU time and memory of a scrape, as ratios within one run: `make bench`.

Compares the product with prometheus_client, which reads every total and
renders every line anew. A scrape is: open the ledger, read the totals, make
the page and compress it. Absolute figures depend on the machine; only the
ratios can be compared with another run.
"""

from __future__ import annotations

import argparse
import gzip
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily
from results import write_json

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.totals import SeenTotals
from kcl_flowlog.counting.delta import Snapshot, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import TEXT, renderer
from kcl_flowlog.exporter.rendered_family import Families
from kcl_flowlog.exporter.state import InstanceState
from kcl_flowlog.web.renderings import compressed

ROUNDS = 5
SHARES = (1.0, 0.1, 0.0)
LABELS = ("subnet_id", "direction", "action", "protocol", "peer")
_METRICS = 3
_BOUNDS = SubnetBounds(listed=10**6)
_OF_A_SUBNET = [
    (direction, action, protocol, peer)
    for direction in ("ingress", "egress")
    for action in ("accept", "reject")
    for protocol in ("tcp", "udp", "icmp")
    for peer in ("internet", "same_subnet", "same_zone", "cross_zone", "private")
]


class Commits:
    """Commits to a ledger, in which each series has three lines."""

    def __init__(self, path: Path, lines: int) -> None:
        subnets = -(-lines // (len(_OF_A_SUBNET) * _METRICS))
        self._subnets = [f"subnet-{number:017x}" for number in range(subnets)]
        self._series = [Traffic(subnet, *rest) for subnet in self._subnets for rest in _OF_A_SUBNET]
        self._rng = random.Random(1)
        self._ledger = Ledger(path, bounds=_BOUNDS)
        self._claim = self._ledger.claim("shardId-000000000000", self._ledger.begin_generation())
        self.commit(1.0)

    def commit(self, share: float) -> None:
        """Add to a share of the series."""
        rng = self._rng
        traffic = [
            (series, (rng.randrange(1, 10**4), rng.randrange(1, 10**6), rng.randrange(1, 10**9)))
            for series in self._series
            if rng.random() < share
        ]
        self._ledger.prepare(self._claim, Position("1"), Snapshot(traffic=traffic, listed_subnets=self._subnets))
        self._ledger.fold(self._claim)


def with_prometheus_client(path: Path) -> Callable[[], bytes]:
    """Return a scrape that makes everything anew."""

    def scrape() -> bytes:
        with Ledger(path) as ledger:
            totals = ledger.totals()
        families = []
        for place, name in enumerate(("flowlog_flows", "flowlog_packets", "flowlog_bytes")):
            family = CounterMetricFamily(name, "Help.", labels=LABELS)
            for total in totals.traffic:
                family.add_metric(total.series[: len(LABELS)], (total.flows, total.packets, total.bytes)[place])
            families.append(family)
        return gzip.compress(generate_latest(Families(families)), 4)

    return scrape


def with_the_product(path: Path) -> Callable[[], bytes]:
    """Return a scrape as an instance makes it, with all its other metrics."""
    seen = SeenTotals()

    def read_state() -> InstanceState:
        with Ledger(path) as ledger:
            return InstanceState(ledger.totals(seen), Inventory())

    render = renderer(metrics_registry(FlowlogCollector(read_state)))
    return lambda: compressed(render(TEXT, {})[1])


WAYS = {"prometheus_client": with_prometheus_client, "product": with_the_product}


class Result(NamedTuple):
    """A row of the table."""

    lines: int
    way: str
    changed: float
    seconds: float
    of_prometheus_client: float
    microseconds_a_line: float
    peak_megabytes_above_idle: float


def measure(lines: int) -> list[Result]:
    """Measure both ways in each round, so that a busy machine disturbs both alike."""
    cases = [("prometheus_client", 1.0), *(("product", share) for share in SHARES)]
    times: dict[tuple[str, float], list[float]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.sqlite3"
        commits = Commits(path, lines)
        scrapes = {name: make(path) for name, make in WAYS.items()}
        scrapes["product"]()
        for _ in range(ROUNDS):
            for way, share in cases:
                commits.commit(share)
                started = time.process_time()
                scrapes[way]()
                times[way, share].append(time.process_time() - started)
        peaks = {way: peak(way, path, commits) for way in WAYS}
    middle = {case: statistics.median(found) for case, found in times.items()}
    reference = middle[cases[0]]
    return [
        Result(lines, way, share, seconds, seconds / reference, seconds / lines * 1e6, peaks[way])
        for (way, share), seconds in middle.items()
    ]


def peak(way: str, path: Path, commits: Commits) -> float:
    """Return by how much scrapes of changing series enlarge another process, at most, in megabytes."""
    command = [sys.executable, __file__, "--scrape", way, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(4):
            process.stdin.write("\n")
            process.stdin.flush()
            found = float(process.stdout.readline())
            commits.commit(1.0)
        process.stdin.close()
    return found


def scrape_on_request(way: str, path: Path) -> None:
    """Scrape for each line of standard input, and print the peak of the memory since the start."""
    scrape = WAYS[way](path)
    before = _status("VmRSS")
    for _ in sys.stdin:
        scrape()
        print((_status("VmHWM") - before) / 1024, flush=True)


def _status(name: str) -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of the table."""
    heading = f"{'lines':>7}  {'way':18} {'changed':>7} {'seconds':>8} {'ratio':>6} {'µs/line':>8} {'peak MB':>8}"
    rows = [
        f"{each.lines:7}  {each.way:18} {each.changed:7.0%} {each.seconds:8.3f} {each.of_prometheus_client:6.2f} "
        f"{each.microseconds_a_line:8.2f} {each.peak_megabytes_above_idle:8.0f}"
        for each in results
    ]
    return [f"CPU time of a scrape, median of {ROUNDS}", heading, *rows]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[54_000, 100_000], help="lines of the page")
    parser.add_argument("--json", type=Path, help="file to write the result to")
    parser.add_argument("--scrape", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.scrape:
        scrape_on_request(options.scrape[0], Path(options.scrape[1]))
        return
    results = [result for lines in options.lines for result in measure(lines)]
    print(*table(results), sep="\n")
    if options.json:
        write_json(options.json, [each._asdict() for each in results])


if __name__ == "__main__":
    main()
