"""The product beside programs in Go: `make bench-peers`.

Builds the programs of `benchmarks/peers/`, where Go is installed, and compares CPU time per flow record: the product as
columns and line by line, a tuned program with the same attribution, and a program that works as exporters did in 2016.
All take turns on the same payloads. The totals of the tuned program must equal the product's. Prints a table with
multiples of gunzip alone, and writes the result to build/bench/peers.json.
"""

from __future__ import annotations

import os

# As a processor does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from counting import FLOOR, Case, Product, inventory, microseconds, payloads, processor
from gunzip import alone, write_payloads
from results import write_json

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.columns.counter import MIN_LINES
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.subnets import Inventory

SOURCE = Path(__file__).parent / "peers"
RESULT = Path(__file__).parent.parent / "build" / "bench" / "peers.json"
CASES = tuple(Case(events, subnets) for subnets in (10, 200, 5000) for events in (100, 500, 3000))
PATHS = ("columns", "line by line", "Go, tuned", "Go, as in 2016")
PROGRAMS = {"Go, tuned": "tuned", "Go, as in 2016": "ancestor"}
FEW = 6000
"""How many records the program as in 2016 counts: among 5,000 subnets, a record takes it a tenth of a millisecond."""


def build(go: str, folder: Path) -> str:
    """Build the programs, and return the version of Go."""
    if subprocess.run([go, "build", "-o", f"{folder}/", "./..."], cwd=SOURCE, check=False).returncode:
        raise SystemExit("The programs can't be built; Go 1.25 or newer is needed, and a proxy that has their modules.")
    version = subprocess.run([go, "env", "GOVERSION"], cwd=SOURCE, check=True, capture_output=True, text=True)
    return version.stdout.strip()


class Peer:
    """A program that has read the payloads, and counts them on request."""

    def __init__(self, running: subprocess.Popen[str], records: int) -> None:
        self.records = records
        self._running = running

    def count(self) -> float:
        """Count all payloads; return the CPU time of a record in microseconds, that of all threads."""
        return float(self._ask("count")) / self.records

    def totals(self) -> Any:
        """Return what was counted last."""
        return self._ask("totals")

    def _ask(self, question: str) -> Any:
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        print(question, file=self._running.stdin, flush=True)
        answer = self._running.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._running.args!r} ended; it says why above.")
        return json.loads(answer)


@contextmanager
def running(program: Path, files: Sequence[Path], records: int) -> Iterator[Peer]:
    """Run a program until the end of the block."""
    command = [program, *files]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Peer(process, records)


def write_world(file: Path, world: Inventory) -> Path:
    """Write the inventory as JSON."""
    content = {
        "subnets": [
            {"id": each.subnet_id, "vpc": each.vpc_id, "zone": each.availability_zone_id, "cidrs": each.cidrs}
            for each in world.subnets
        ],
        "interfaces": [
            {"id": each.interface_id, "subnet": each.subnet_id, "addresses": each.addresses}
            for each in world.interfaces
        ],
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def totals_of(delta: Delta) -> dict[str, Any]:
    """Return what the product has counted in the form of a tuned program's totals."""
    # The path and the type of interface are unknown in all of these records.
    return {
        "traffic": {tuple(series[:5]): tuple(sums) for series, sums in delta.traffic.items()},
        "rejected_ports": {tuple(port): number for port, number in delta.rejected_ports.items()},
        "delays": delta.histograms[counts.EVENT_DELAY].buckets,
        "events": {label: number for (count, label), number in delta.counts.items() if count == counts.EVENTS},
    }


def totals_from(answer: Any) -> dict[str, Any]:
    """Return the totals that a tuned program tells in the form of `totals_of`."""
    return {
        **answer,
        "traffic": {tuple(row["labels"]): tuple(row["sums"]) for row in answer["traffic"]},
        "rejected_ports": {tuple(row["labels"]): row["flows"] for row in answer["rejected_ports"]},
    }


def check(case: Case, expected: Mapping[str, Any], peers: Mapping[str, Peer]) -> None:
    """Exit if a program does not count what the product counts."""
    found = totals_from(peers["Go, tuned"].totals())
    differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        raise SystemExit(f"{case}: the tuned program and the product differ in {', '.join(differing)}.")
    # It attributes otherwise, so only its number of lines can be compared.
    other = peers["Go, as in 2016"]
    if other.records != sum(other.totals()["events"].values()):
        raise SystemExit(f"{case}: the program as in 2016 has not counted all lines.")


def measure(case: Case, rounds: int, programs: Path) -> dict[str, float]:
    """Return the median CPU time of a record in microseconds, by path; the paths take turns."""
    world, made = inventory(case), payloads(case)
    index = Index(world)
    inputs = {"Go, tuned": made, "Go, as in 2016": made[: FEW // case.events]}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        world_file = write_world(Path(folder, "world.json"), world)
        peers = {}
        for name, program in PROGRAMS.items():
            files = [world_file, write_payloads(Path(folder, program), inputs[name])]
            records = len(inputs[name]) * case.events
            peers[name] = stack.enter_context(running(programs / program, files, records))
        gunzip = stack.enter_context(alone(made, len(made) * case.events))
        columns, plain = Product(case, index, made, MIN_LINES), Product(case, index, made, None)
        # Also the first round of each path, which warms it up.
        expected = totals_of(columns.count(made))
        plain.count(made)
        gunzip.count()
        for peer in peers.values():
            peer.count()
        check(case, expected, peers)
        paths: dict[str, Callable[[], float]] = {
            FLOOR: gunzip.count,
            "columns": partial(microseconds, columns.count, made, case),
            "line by line": partial(microseconds, plain.count, made, case),
            **{name: peer.count for name, peer in peers.items()},
        }
        times: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(rounds):
            for name, path in paths.items():
                times[name].append(path())
        check(case, expected, peers)
    return {name: statistics.median(values) for name, values in times.items()}


def row(case: Case, times: Mapping[str, float]) -> str:
    """Return a line of the table in Markdown: microseconds, and in brackets multiples of gunzip alone."""
    floor = times[FLOOR]
    cells = [f"{times[name]:.2f} ({times[name] / floor:.1f})" for name in PATHS]
    return f"| {case.events:,} | {case.subnets:,} | {floor:.2f} | {' | '.join(cells)} |"


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="median of so many rounds (default: 7)")
    parser.add_argument("--go", default="go", help="the go command (default: go)")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help=argparse.SUPPRESS)
    parser.add_argument("--programs", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(CASES[options.case], options.rounds, options.programs)))
        return 0
    go = shutil.which(options.go)
    if go is None:
        print("Go is not installed, so its programs are not compared; install it, or name it with --go.")
        return 0
    print(f"| events | subnets | gunzip | {' | '.join(PATHS)} |", "| --- " * (len(PATHS) + 3) + "|", sep="\n")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        version = build(go, Path(folder))
        for number, case in enumerate(CASES):
            # In a new process, since a process that has had much memory gets it again for less.
            command = [sys.executable, __file__, f"--rounds={options.rounds}", f"--case={number}"]
            done = subprocess.run([*command, f"--programs={folder}"], check=True, stdout=subprocess.PIPE, text=True)
            times = json.loads(done.stdout)
            print(row(case, times), flush=True)
            results.append({"case": case._asdict(), "microseconds": times})
    machine = {"processor": processor(), "python": sys.version.split()[0], "go": version, "rounds": options.rounds}
    write_json(RESULT, {**machine, "results": results})
    print(f"CPU µs per record (× gunzip alone); {processor()}, {version}, median of {options.rounds} rounds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
