"""Memory and CPU time of who sent what, in a spray: a million sources over a thousand subnets.

Counts the spray as a processor does, with and without it, and adds its commits to their step as the launcher does, each
in another process. Prints how much memory each takes more, and ends with 1 if that is over its bound.
"""

from __future__ import annotations

import os

# As a processor does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from flow_logs import BEGIN, envelope
from results import write_json

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.sketches import encode
from kcl_flowlog.counting.who.steps import STEP

RESULT = Path(__file__).parent.parent / "build" / "bench" / "who.json"
SUBNETS, SOURCES, EVENTS = 1000, 1_000_000, 500
BOUNDS = {"processor": 32, "launcher": 64}
"""Megabytes."""
# As a processor commits before its interval is over.
_LARGE, _ROW_BYTES = 20_000, 100


def inventory() -> Inventory:
    """Return a VPC with an interface in each subnet."""
    numbers = range(SUBNETS)
    return Inventory(
        1.0,
        tuple(Subnet(f"subnet-{n:017x}", "vpc-1", "az1", f"10.{n // 256}.{n % 256}.0/24") for n in numbers),
        tuple(
            Interface(f"eni-{n:017x}", f"subnet-{n:017x}", "vpc-1", (f"10.{n // 256}.{n % 256}.10",)) for n in numbers
        ),
    )


def spray() -> Iterator[bytes]:
    """Yield payloads of rejected flows, each from a source that was not seen before."""
    rng = random.Random(1)
    for first in range(0, SOURCES, EVENTS):
        n = rng.randrange(SUBNETS)
        interface, own = f"eni-{n:017x}", f"10.{n // 256}.{n % 256}.10"
        events = []
        for number in range(first, first + EVENTS):
            source = f"{20 + number % 79}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            line = (
                f"2 123456789010 {interface} {source} {own} 40000 {rng.randrange(1, 65536)} 6 1 40"
                f" {BEGIN} {BEGIN + 60} REJECT OK"
            )
            events.append({"id": f"{number:056d}", "timestamp": BEGIN * 1000, "message": line})
        yield gzip.compress(envelope(interface, events), 1)


def count(has_who: bool, bodies: Path | None = None) -> dict[str, float]:
    """Count the spray; return the memory in megabytes and the CPU time of a record in microseconds."""

    def new() -> Delta:
        return Delta(Collector() if has_who else None)

    counter = PayloadCounter(Formats(), Attributor(Index(inventory())), frozenset({"22"}), 2**26)
    made = list(spray())
    before = _megabytes()
    started = time.process_time()
    delta, commits = new(), 0
    for number, payload in enumerate(made, 1):
        counter.add(payload, PayloadOrigin("shardId-0", Position(str(number))), float(BEGIN), delta)
        is_large = delta.who is not None and delta.who.size // _ROW_BYTES >= _LARGE
        if number == len(made) or is_large:
            counter.finish(float(BEGIN), delta)
            if delta.who is not None and bodies is not None:
                (bodies / f"{commits:04d}").write_bytes(encode(delta.who.take(BEGIN // STEP)))
            delta, commits = new(), commits + 1
    seconds = time.process_time() - started
    return {"megabytes": _megabytes() - before, "microseconds": seconds / SOURCES * 1e6, "commits": commits}


def launch(bodies: Path) -> dict[str, float]:
    """Add the commits to their step; return the memory in megabytes and the CPU time in seconds."""
    before = _megabytes()
    from kcl_flowlog.commits import own_series, who_tables
    from kcl_flowlog.commits.damage import DamageNote
    from kcl_flowlog.launcher.who_keeper import WhoKeeper

    path = bodies.parent / "ledger.sqlite3"
    with Ledger(path) as ledger, ledger.begin() as db:
        own_series.SUBNETS.put(db, *((f"subnet-{n:017x}", 1) for n in range(SUBNETS)))
        for body in sorted(bodies.iterdir()):
            who_tables.add(db, body.read_bytes())
    started = time.process_time()
    keeper = WhoKeeper(lambda: Ledger(path), DamageNote(), lambda: float(BEGIN))
    while not keeper.distinct or keeper.is_behind:
        keeper.step()
    seconds = time.process_time() - started
    found = sum(each.sources for each in keeper.distinct.values())
    return {"megabytes": _megabytes() - before, "seconds": seconds, "sources": found / SOURCES}


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _alone(*arguments: str) -> dict[str, float]:
    command = [sys.executable, __file__, *arguments]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", choices=("with", "without"), help="only count, and print the result as JSON")
    parser.add_argument("--launch", action="store_true", help="only add commits, and print the result as JSON")
    parser.add_argument("--bodies", type=Path, help="the folder of the commits")
    options = parser.parse_args()
    if options.count:
        print(json.dumps(count(options.count == "with", options.bodies)))
        return 0
    if options.launch:
        print(json.dumps(launch(options.bodies)))
        return 0
    with tempfile.TemporaryDirectory() as directory:
        bodies = Path(directory) / "bodies"
        bodies.mkdir()
        alone, both = _alone("--count=without"), _alone("--count=with", f"--bodies={bodies}")
        size = sum(body.stat().st_size for body in bodies.iterdir()) / 2**20
        launcher = _alone("--launch", f"--bodies={bodies}")
        ledger = (Path(directory) / "ledger.sqlite3").stat().st_size / 2**20
    more = {"processor": both["megabytes"] - alone["megabytes"], "launcher": launcher["megabytes"]}
    print(f"{both['commits']:.0f} commits of {size / both['commits']:.2f} MB; ledger {ledger:.1f} MB")
    print(f"{alone['microseconds']:.2f} µs per record without, {both['microseconds']:.2f} µs with who sent what")
    print(f"launcher: {launcher['seconds']:.2f} s; {launcher['sources']:.1%} of the sources counted")
    for name, megabytes in more.items():
        print(f"{name}: {megabytes:.1f} MB more, of {BOUNDS[name]} MB")
    write_json(RESULT, {"more_megabytes": more, "without": alone, "with": both, "launcher": launcher})
    return int(any(more[name] > bound for name, bound in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
