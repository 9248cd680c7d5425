"""CPU time, log size and syncs of a commit, as ratios within one run: `make bench`.

Compares a commit of the ledger with the least that SQLite could do: the same
additions in one transaction, without claims, checksums and bounds. Absolute
figures depend on the machine; only the ratios can be compared with another run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from results import write_json

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.delta import Snapshot, Traffic
from kcl_flowlog.counting.positions import Position

ROUNDS = 5
SUBNETS = [f"subnet-{number:017x}" for number in range(560)]
SERIES = [
    Traffic(subnet, direction, action, protocol, peer)
    for subnet in SUBNETS
    for direction in ("ingress", "egress")
    for action in ("accept", "reject")
    for protocol in ("tcp", "udp", "icmp")
    for peer in ("internet", "same_subnet", "same_zone", "cross_zone", "private")
]
SIZES = (20, 1_000, 10_000)
SHARDS = (1, 16)
# Of each shard, one after the other.
_COMMITS, _SIZE = 20, 200
_FLOOR = """CREATE TABLE floor (
    subnet_id TEXT, direction TEXT, action TEXT, protocol TEXT, peer TEXT, path TEXT, interface_type TEXT,
    flows INTEGER, packets INTEGER, bytes INTEGER, birth INTEGER, counted_at INTEGER, checksum INTEGER,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer, path, interface_type)
) WITHOUT ROWID"""
_ADD = """INSERT INTO floor VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0) ON CONFLICT DO UPDATE
SET flows = flows + excluded.flows, packets = packets + excluded.packets, bytes = bytes + excluded.bytes"""


class Result(NamedTuple):
    """A row of the table: commits of one shard."""

    series: int
    milliseconds: float
    of_sqlite: float
    microseconds_a_series: float
    log_kilobytes: float


def delta(rng: random.Random, size: int) -> Snapshot:
    """Return a delta of some series."""
    chosen = rng.sample(SERIES, size)
    traffic = [(series, (rng.randrange(1, 99), rng.randrange(10**4), rng.randrange(10**7))) for series in chosen]
    listed = sorted({series.subnet_id for series in chosen})
    return Snapshot(traffic=traffic, listed_subnets=listed, counts=[("events", "counted", size)])


def commit(ledger: Ledger, shard: str, deltas: Sequence[Snapshot]) -> None:
    """Commit deltas for a shard, one after the other."""
    claim = ledger.claim(shard, 1)
    for number, each in enumerate(deltas, 1):
        ledger.prepare(claim, Position(str(number)), each)
        ledger.fold(claim)


def prepare(path: Path) -> None:
    """Create a ledger in which every series has a row."""
    with Ledger(path) as ledger:
        ledger.begin_generation()
        commit(ledger, "shardId-first", [delta(random.Random(1), len(SERIES))])


def measure_sizes(path: Path) -> list[Result]:
    """Measure commits of each size and their lower bound in each round."""
    rng = random.Random(2)
    times: dict[tuple[int, bool], list[float]] = {(size, is_floor): [] for size in SIZES for is_floor in (True, False)}
    logs: dict[int, list[int]] = {size: [] for size in SIZES}
    with Ledger(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute(_FLOOR)
        everything = [(*series, *numbers) for series, numbers in delta(rng, len(SERIES)).traffic]
        db.executemany(_ADD, everything)
        for _ in range(ROUNDS):
            for size in SIZES:
                each = delta(rng, size)
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                started = time.process_time()
                db.execute("BEGIN IMMEDIATE")
                db.executemany(_ADD, [(*series, *numbers) for series, numbers in each.traffic])
                db.execute("COMMIT")
                times[size, True].append(time.process_time() - started)
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                started = time.process_time()
                commit(ledger, "shardId-next", [each])
                times[size, False].append(time.process_time() - started)
                logs[size].append(path.with_name(f"{path.name}-wal").stat().st_size)
    middle = {case: statistics.median(found) for case, found in times.items()}
    return [
        Result(
            size,
            middle[size, False] * 1e3,
            middle[size, False] / middle[size, True],
            middle[size, False] / size * 1e6,
            statistics.median(logs[size]) / 1024,
        )
        for size in SIZES
    ]


class Together(NamedTuple):
    """A row of the table: shards that commit at once, each `_COMMITS` deltas of `_SIZE` series."""

    shards: int
    commits_a_second: float
    cpu_milliseconds_a_commit: float
    longest_milliseconds: float


def measure_together(path: Path, shards: int) -> Together:
    """Run processes that commit at once."""
    command = [sys.executable, __file__, "--shard"]
    started = time.monotonic()
    processes = [
        subprocess.Popen([*command, f"shardId-{shard}", str(path)], stdout=subprocess.PIPE, text=True)
        for shard in range(shards)
    ]
    found = [json.loads(process.communicate()[0]) for process in processes]
    begun, ended = min(each["begun"] for each in found), max(each["ended"] for each in found)
    assert started <= begun
    commits = shards * _COMMITS
    return Together(
        shards,
        commits / (ended - begun),
        sum(each["cpu"] for each in found) / commits * 1e3,
        max(each["longest"] for each in found) * 1e3,
    )


def run_shard(shard: str, path: Path) -> None:
    """Commit as one of several processes, and print how it went."""
    deltas = [delta(random.Random(shard), _SIZE) for _ in range(_COMMITS)]
    durations = []
    with Ledger(path) as ledger:
        claim = ledger.claim(shard, 1)
        begun, cpu = time.monotonic(), time.process_time()
        for number, each in enumerate(deltas, 1):
            before = time.monotonic()
            ledger.prepare(claim, Position(str(number)), each)
            ledger.fold(claim)
            durations.append(time.monotonic() - before)
        ended, cpu = time.monotonic(), time.process_time() - cpu
    print(json.dumps({"begun": begun, "ended": ended, "cpu": cpu, "longest": max(durations)}))


def syncs_of_a_commit(path: Path) -> float | None:
    """Return how often a commit waits for the disk, None without strace."""
    if shutil.which("strace") is None:
        return None
    command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", sys.executable, __file__, "--shard"]
    with tempfile.NamedTemporaryFile() as report:
        subprocess.run(
            [*command[:2], "-o", report.name, *command[2:], "shardId-traced", str(path)],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        rows = Path(report.name).read_text().splitlines()
    calls = [int(row.split()[3]) for row in rows if re.search(r" f(data)?sync$", row)]
    return sum(calls) / _COMMITS


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write the result to")
    parser.add_argument("--shard", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.shard:
        run_shard(options.shard[0], Path(options.shard[1]))
        return
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.sqlite3"
        prepare(path)
        sizes = measure_sizes(path)
        together = [measure_together(path, shards) for shards in SHARDS]
        syncs = syncs_of_a_commit(path)
    print(f"CPU time of a commit into {len(SERIES)} series, median of {ROUNDS}")
    print(f"{'series':>7} {'ms':>8} {'ratio':>6} {'µs/series':>9} {'log KB':>7}")
    for each in sizes:
        print(
            f"{each.series:7} {each.milliseconds:8.2f} {each.of_sqlite:6.2f} {each.microseconds_a_series:9.2f} "
            f"{each.log_kilobytes:7.0f}"
        )
    print(f"Shards that commit {_SIZE} series at once, {_COMMITS} times each")
    print(f"{'shards':>7} {'commits/s':>9} {'CPU ms':>7} {'longest ms':>10}")
    for row in together:
        print(
            f"{row.shards:7} {row.commits_a_second:9.0f} {row.cpu_milliseconds_a_commit:7.2f} "
            f"{row.longest_milliseconds:10.0f}"
        )
    print(
        "Waits for the disk in a commit, checkpoints of the log included:",
        "unknown" if syncs is None else f"{syncs:.2f}",
    )
    if options.json:
        found = {
            "sizes": [each._asdict() for each in sizes],
            "together": [row._asdict() for row in together],
            "syncs": syncs,
        }
        write_json(options.json, found)


if __name__ == "__main__":
    main()
