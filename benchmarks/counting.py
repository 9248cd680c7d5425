"""CPU time per flow record, as ratios within one run: `make bench`.

Compares counting as columns and line by line with their lower bound, gunzip alone, and with the same work done by the
standard library; for several sizes of envelopes, numbers of subnets, and formats. Absolute figures depend on the
machine; only ratios can be compared with another run. Also tells by how much who sent what makes the time grow. Prints
a table, and writes it to build/bench/counting.json.
"""

from __future__ import annotations

import os

# As a processor does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import gzip
import ipaddress
import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flow_logs import BEGIN, NEAR, Flow, Traffic, envelope
from gunzip import alone
from results import write_json

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.columns.counter import MIN_LINES
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.sketches import encode

RESULT = Path(__file__).parent.parent / "build" / "bench" / "counting.json"
RECORDS = 30_000
INTERFACES = 25
FLOOR = "gunzip alone"
NO_WHO = ", --no-who"
ORIGIN = PayloadOrigin("shardId-000000000000", Position("1"))
V5 = (
    f"{DEFAULT_FORMAT} ${{vpc-id}} ${{subnet-id}} ${{instance-id}} ${{tcp-flags}} ${{type}} ${{pkt-srcaddr}}"
    " ${pkt-dstaddr} ${region} ${az-id} ${sublocation-type} ${sublocation-id} ${pkt-src-aws-service}"
    " ${pkt-dst-aws-service} ${flow-direction} ${traffic-path}"
)


class Case(NamedTuple):
    """What is measured: log events in an envelope, subnets of the VPC, and the kind of lines."""

    events: int
    subnets: int = 200
    kind: str = "default"

    def __str__(self) -> str:
        return f"{self.events} events, {self.subnets} subnets, {self.kind}"


CASES = (
    *(Case(events) for events in (100, 500, 3000)),
    *(Case(500, subnets) for subnets in (10, 5000)),
    *(Case(500, 200, kind) for kind in ("v5", "IPv6")),
)


def address(subnet: int, host: int, is_ipv6: bool) -> str:
    """Return an address of a subnet."""
    return f"2001:db8:{subnet:x}::{host + 16:x}" if is_ipv6 else f"10.{subnet // 256}.{subnet % 256}.{host + 10}"


def inventory(case: Case) -> Inventory:
    """Return a VPC of many subnets, with some interfaces in each."""
    is_ipv6 = case.kind == "IPv6"
    numbers = range(case.subnets)
    return Inventory(
        1.0,
        tuple(
            Subnet(
                *(f"subnet-{n:017x}", "vpc-1", f"euw1-az{n % 3}", f"10.{n // 256}.{n % 256}.0/24"),
                ipv6_cidrs=(f"2001:db8:{n:x}::/64",),
            )
            for n in numbers
        ),
        tuple(
            Interface(f"eni-{n * INTERFACES + m:017x}", f"subnet-{n:017x}", "vpc-1", (address(n, m, is_ipv6),))
            for n in numbers
            for m in range(INTERFACES)
        ),
    )


def payloads(case: Case, seed: int = 1) -> list[bytes]:
    """Return gzip'd envelopes, each of one interface."""
    rng = random.Random(seed)
    is_ipv6 = case.kind == "IPv6"
    traffic = Traffic(rng, is_ipv6)
    made: list[bytes] = []
    event_id = 38912345678901234567890123456789012345678901234567890123
    for _ in range(RECORDS // case.events):
        event_id += rng.randrange(10**20)
        subnet, host = rng.randrange(case.subnets), rng.randrange(INTERFACES)
        interface, own = f"eni-{subnet * INTERFACES + host:017x}", address(subnet, host, is_ipv6)
        near = [address(rng.randrange(case.subnets), rng.randrange(200), is_ipv6) for _ in range(NEAR)]
        begin = BEGIN + rng.randrange(600)
        events = []
        for number in range(case.events):
            start = begin + rng.randrange(60)
            flow = traffic.flow(interface, own, near, start, version=5 if case.kind == "v5" else 2)
            message = _in_v5(rng, flow, f"subnet-{subnet:017x}") if case.kind == "v5" else flow.line
            events.append({"id": str(event_id + number), "timestamp": start * 1000, "message": message})
        made.append(gzip.compress(envelope(interface, events), 6))
    return made


def _in_v5(rng: random.Random, flow: Flow, subnet: str) -> str:
    """Return a line in the format `V5`."""
    if flow.is_nodata:
        return f"{flow.line}{' -' * 15}"
    services = ("-", rng.choice(("-", "-", "S3", "AMAZON")))
    way = f"egress {rng.randrange(1, 9)}" if flow.is_egress else "ingress -"
    return (
        f"{flow.line} vpc-1 {subnet} i-0123456789abcdef0 19 IPv4 {flow.source} {flow.target} eu-west-1 euw1-az1 - -"
        f" {' '.join(services if flow.is_egress else services[::-1])} {way}"
    )


class Product:
    """The whole path from payloads to a delta; the inventory is indexed before."""

    def __init__(
        self, case: Case, index: Index, made: Sequence[bytes], min_column_lines: int | None, has_who: bool = True
    ) -> None:
        self._has_who = has_who
        formats = Formats((V5,) if case.kind == "v5" else ())
        # Forgets each payload before it comes again.
        window = Window(size=len(made) // 2)
        watched = frozenset({"22", "443", "3389"})
        attributor = Attributor(index)
        self._counter = PayloadCounter(
            formats, attributor, watched, 2**26, window=window, min_column_lines=min_column_lines
        )

    def count(self, made: Sequence[bytes]) -> Delta:
        """Count the payloads of a batch, up to the delta that is committed."""
        delta = Delta(Collector()) if self._has_who else Delta()
        for payload in made:
            self._counter.add(payload, ORIGIN, 1_700_000_700.0, delta)
        self._counter.finish(1_700_000_700.0, delta)
        if delta.who is not None:
            encode(delta.who.take(0))
        return delta


class StandardLibrary:
    """Counts with json, gzip and a search through all networks."""

    def __init__(self, case: Case, world: Inventory) -> None:
        self._names = LineFormat(V5 if case.kind == "v5" else DEFAULT_FORMAT).fields
        self._interfaces = {each.interface_id: (each.subnet_id, each.addresses) for each in world.interfaces}
        self._networks = [(ipaddress.ip_network(cidr), each.subnet_id) for each in world.subnets for cidr in each.cidrs]

    def count(self, made: Sequence[bytes]) -> None:
        """Count payloads."""
        totals: Counter[tuple[str, str, str]] = Counter()
        for payload in made:
            for event in json.loads(gzip.decompress(payload))["logEvents"]:
                record = dict(zip(self._names, event["message"].split(), strict=True))
                if record["log-status"] != "OK":
                    continue
                subnet_id, addresses = self._interfaces[record["interface-id"]]
                other = record["dstaddr"] if record["srcaddr"] in addresses else record["srcaddr"]
                peer = ipaddress.ip_address(other)
                name = next((name for network, name in self._networks if peer in network), "internet")
                totals[subnet_id, name, record["action"]] += int(record["bytes"])


def measure(case: Case, rounds: int, with_standard_library: bool) -> dict[str, object]:
    """Return the median CPU time of a record in microseconds, by path, and its growth with who sent what.

    Also the memory that columns took, in MB.

    All paths take turns, so a busy machine disturbs all alike.
    """
    world, made = inventory(case), payloads(case)
    index = Index(world)
    columns, plain = Product(case, index, made, MIN_LINES), Product(case, index, made, None)
    columns_alone, plain_alone = (Product(case, index, made, lines, has_who=False) for lines in (MIN_LINES, None))
    first = columns.count(made)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    second = plain.count(made)
    if first.traffic != second.traffic or first.counts != second.counts:
        raise SystemExit(f"{case}: columns and line by line differ.")
    # Beside each path the same without who sent what, as a ratio of few percent needs neighbours.
    paths: dict[str, Callable[[Sequence[bytes]], object]] = {
        "columns": columns.count,
        f"columns{NO_WHO}": columns_alone.count,
        "line by line": plain.count,
        f"line by line{NO_WHO}": plain_alone.count,
    }
    times: dict[str, list[float]] = {name: [] for name in (FLOOR, *paths)}
    with alone(made, len(made) * case.events) as gunzip:
        gunzip.count()
        for number in range(rounds):
            times[FLOOR].append(gunzip.count())
            for name in [*paths] if number % 2 else [*reversed(paths)]:
                times[name].append(microseconds(paths[name], made, case))
    growth = {name: growth_of(times[name], times[f"{name}{NO_WHO}"]) for name in ("columns", "line by line")}
    found = {name: statistics.median(values) for name, values in times.items()}
    if with_standard_library:
        # It takes seconds for a few records; a ratio of a hundred needs no median.
        few = made[: max(1, 1500 // case.events)]
        found["standard library"] = microseconds(StandardLibrary(case, world).count, few, case)
    return {"microseconds": found, "growth_with_who": growth, "megabytes": memory}


def growth_of(times: Sequence[float], without: Sequence[float]) -> float:
    """Return by what part times are longer than others of the same rounds, as the median of their ratios.

    Two rounds count together, as the path that comes first in one comes last in the next.
    """
    longer, shorter = ([*map(sum, zip(some, some[1:] or some, strict=False))] for some in (times, without))
    return statistics.median(one / other for one, other in zip(longer, shorter, strict=True)) - 1


def microseconds(count: Callable[[Sequence[bytes]], object], made: Sequence[bytes], case: Case) -> float:
    """Return the CPU time of a record in microseconds."""
    started = time.process_time()
    count(made)
    return (time.process_time() - started) / (len(made) * case.events) * 1e6


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="median of so many rounds (default: 7)")
    parser.add_argument("--no-standard-library", action="store_true", help="leave out the slowest path")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this case, and print it as JSON")
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(CASES[options.case], options.rounds, not options.no_standard_library)))
        return 0
    results = []
    for number, case in enumerate(CASES):
        # In a new process, since a process that has had much memory gets it again for less.
        command = [sys.executable, __file__, *sys.argv[1:], f"--case={number}"]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if not number:
            print(row("", {name: name for name in (*found["microseconds"], *growths(found))}))
        print(row(str(case), {**cells(found["microseconds"]), **growths(found)}), flush=True)
        results.append({"case": case._asdict(), **found})
    machine = {"processor": processor(), "python": platform.python_version(), "rounds": options.rounds}
    write_json(RESULT, {**machine, "results": results})
    print("CPU µs per record (× gunzip alone); by how much who sent what makes it grow, at most 10 %.")
    print(f"{processor()}, Python {platform.python_version()}, median of {options.rounds} rounds.")
    return 0


def cells(times: Mapping[str, float]) -> dict[str, str]:
    """Return the time of each path, and what multiple of gunzip alone it is."""
    floor = times[FLOOR]
    return {name: f"{value:.2f} ({value / floor:.1f}×)" for name, value in times.items()}


def growths(found: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Return by how much who sent what makes the time of each path grow."""
    return {f"{name}: who": f"{growth:+.1%}" for name, growth in found["growth_with_who"].items()}


def row(head: str, texts: Mapping[str, str]) -> str:
    """Return a row of the table, with a text for each path."""
    return f"{head:38}" + "".join(f"{text:>{max(17, len(name) + 2)}}" for name, text in texts.items())


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
