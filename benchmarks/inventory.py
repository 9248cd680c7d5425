"""Memory and CPU time of an inventory in processors and launcher: `make bench`.

Some processors map the same inventory, an empty one or one of 50,000 interfaces with 10 addresses each: idle, after
refreshes, and after they have counted a million records of many interfaces, as columns or line by line. Memory is what
/proc/self/smaps_rollup says: *private* is the process's alone, *proportional* shares what several processes have.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

from flow_logs import BEGIN, NEAR, Traffic, envelope
from results import write_json

from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.columns.counter import MIN_LINES
from kcl_flowlog.counting.columns.interfaces import Interfaces
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Source, Subnet
from kcl_flowlog.processor.live_inventory import LiveInventory

INTERFACES, ADDRESSES, SUBNETS, VPCS = 50_000, 10, 2000, 20
EVENTS, BATCH = 100, 250
"""Events of an envelope, and envelopes of a batch: some megabytes."""
PROCESSORS, ROUNDS = 4, 5
ORIGIN = PayloadOrigin("shardId-000000000000", Position("1"))
NOW = 1_700_000_700.0
WAYS = {"columns": MIN_LINES, "line by line": None}


def addresses(number: int) -> tuple[str, ...]:
    """Return the addresses of an interface."""
    subnet, place = number % SUBNETS, number // SUBNETS
    return tuple(f"10.{subnet // 256}.{subnet % 256}.{4 + place * ADDRESSES + n}" for n in range(ADDRESSES))


def inventory(interfaces: int) -> Inventory:
    """Return an inventory with that many interfaces in all subnets; without any, it is empty."""
    numbers = range(SUBNETS if interfaces else 0)
    account, region = "123456789012", "eu-west-1"
    return Inventory(
        1.0,
        tuple(
            Subnet(
                *(f"subnet-{n:017x}", f"vpc-{n % VPCS:017x}", f"euw1-az{n % 3}", f"10.{n // 256}.{n % 256}.0/24"),
                (f"2001:db8:{n:x}::/64",),
                account,
                f"subnet {n}",
                source=region,
                region=region,
            )
            for n in numbers
        ),
        tuple(
            Interface(
                *(f"eni-{n:017x}", f"subnet-{n % SUBNETS:017x}", f"vpc-{n % SUBNETS % VPCS:017x}"),
                addresses(n),
                source=region,
                interface_type="interface",
            )
            for n in range(interfaces)
        ),
        sources=(Source(region, account, region),),
    )


def write_payloads(path: Path, count: int) -> None:
    """Write gzip'd envelopes, each of an interface by chance, as base64 lines."""
    rng = random.Random(1)
    traffic = Traffic(rng)
    with path.open("wb") as file:
        for number in range(count):
            of_interface = rng.randrange(INTERFACES)
            near = [rng.choice(addresses(rng.randrange(INTERFACES))) for _ in range(NEAR)]
            own = addresses(of_interface)
            flows = [traffic.flow(f"eni-{of_interface:017x}", rng.choice(own), near, BEGIN) for _ in range(EVENTS)]
            events = [
                {"id": f"{number * EVENTS + place:056d}", "timestamp": BEGIN * 1000, "message": flow.line}
                for place, flow in enumerate(flows)
            ]
            payload = gzip.compress(envelope(f"eni-{of_interface:017x}", events), 6)
            file.write(base64.b64encode(payload) + b"\n")


def memory() -> dict[str, float]:
    """Return the memory of this process in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    found = {line.split()[0]: int(line.split()[1]) / 1024 for line in lines}
    return {"private": found["Private_Dirty:"] + found["Private_Clean:"], "proportional": found["Pss:"]}


def run_processor(path: Path, way: str, payloads: Path) -> None:
    """Be a processor: print figures after each step, and go on when a line comes in."""
    import kcl_flowlog.processor.__main__  # noqa: F401 - what it imports belongs to the memory

    def report(**found: Any) -> None:
        print(json.dumps(found), flush=True)
        sys.stdin.readline()

    live, attributor = LiveInventory(path), Attributor(Index(Inventory()))
    times = []
    for _ in range(ROUNDS + 1):
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        started = time.process_time()
        index = live.changed()
        assert index is not None
        attributor.use(index)
        columns = Interfaces(index)
        times.append((time.process_time() - started) * 1e3)
    del index, columns
    # The first has numpy's start in it.
    report(refresh_ms=statistics.median(times[1:]))
    report(idle=memory())
    counter = PayloadCounter(
        Formats(), attributor, frozenset({"22"}), 2**26, window=Window(), min_column_lines=WAYS[way]
    )
    records, seconds = 0, 0.0
    with payloads.open("rb") as file:
        while made := [base64.b64decode(line) for line in islice(file, BATCH)]:
            delta = Delta()
            started = time.process_time()
            for payload in made:
                counter.add(payload, ORIGIN, NOW, delta)
            counter.finish(NOW, delta)
            seconds += time.process_time() - started
            records += len(made) * EVENTS
    report(microseconds=seconds / max(1, records) * 1e6)
    report(loaded=memory())


def measure(path: Path, way: str, payloads: Path) -> dict[str, Any]:
    """Run processors side by side; return the figures of one of them."""
    command = [sys.executable, __file__, "--processor", str(path), way, str(payloads)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSORS)
    ]
    found: dict[str, Any] = {}
    for _ in range(4):
        for process in running:
            assert process.stdout is not None
            found.update(json.loads(process.stdout.readline()))
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
    for process in running:
        process.communicate()
    return found


def pack_alone() -> dict[str, float]:
    """Return what packing costs the launcher, and what it writes besides."""
    world = inventory(INTERFACES)
    times: dict[str, list[float]] = {"pack_ms": [], "json_ms": []}
    sizes = {}
    for _ in range(ROUNDS):
        for name, write in (("pack_ms", pack), ("json_ms", subnets.dump)):
            started = time.process_time()
            sizes[name] = len(write(world))
            times[name].append((time.process_time() - started) * 1e3)
    tracemalloc.start()
    pack(world)
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    found = {name: statistics.median(values) for name, values in times.items()}
    return {**found, "peak_mb": peak, "packed_mb": sizes["pack_ms"] / 2**20, "json_mb": sizes["json_ms"] / 2**20}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file to write the result to")
    parser.add_argument("--batches", type=int, default=40, help="batches of 25,000 records that each processor counts")
    parser.add_argument("--processor", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--pack", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.processor:
        path, way, payloads = options.processor
        run_processor(Path(path), way, Path(payloads))
        return
    if options.pack:
        print(json.dumps(pack_alone()))
        return
    results = []
    print(f"MB of each of {PROCESSORS} processors: private (proportional); refresh in ms, records in µs of CPU time")
    print(f"{'interfaces':>10} {'way':13} {'refresh':>8} {'idle':>14} {'loaded':>14} {'record':>7}")
    with tempfile.TemporaryDirectory() as directory:
        path, payloads, none = (Path(directory) / name for name in ("inventory.packed", "payloads", "none"))
        write_payloads(payloads, options.batches * BATCH)
        none.touch()
        for interfaces in (0, INTERFACES):
            path.write_bytes(pack(inventory(interfaces)))
            for way in WAYS:
                # Unknown interfaces would be another measurement.
                found = measure(path, way, payloads if interfaces else none)
                idle, loaded = (
                    f"{found[k]['private']:.1f} ({found[k]['proportional']:.1f})" for k in ("idle", "loaded")
                )
                print(
                    f"{interfaces:10} {way:13} {found['refresh_ms']:8.1f} {idle:>14} {loaded:>14}"
                    f" {found['microseconds']:7.2f}",
                    flush=True,
                )
                results.append({"interfaces": interfaces, "way": way, **found})
    alone = subprocess.run([sys.executable, __file__, "--pack"], check=True, capture_output=True, text=True).stdout
    packing = json.loads(alone)
    print("Launcher: " + ", ".join(f"{name} {value:.1f}" for name, value in packing.items()))
    if options.json:
        write_json(options.json, {"processors": results, "packing": packing})


if __name__ == "__main__":
    main()
