"""CPU time per flow record, as ratios within one run: `make bench`.

Compares the product with its lower bound, gunzip alone, and with the same
work done by the standard library. Absolute figures depend on the machine;
only the ratios can be compared with another run.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable

from isal import igzip

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet

EVENTS = 500
ENVELOPES = 60
ROUNDS = 7
ORIGIN = PayloadOrigin("shardId-000000000000", Position("1"))


def inventory(subnets: int = 200, interfaces: int = 25) -> Inventory:
    """Return a VPC of /24 subnets with some interfaces in each."""
    return Inventory(
        1.0,
        tuple(Subnet(f"subnet-{n:04x}", "vpc-1", f"az{n % 3}", f"10.0.{n}.0/24") for n in range(subnets)),
        tuple(
            Interface(f"eni-{n:04x}{m:04x}", f"subnet-{n:04x}", "vpc-1", (f"10.0.{n}.{m + 10}",))
            for n in range(subnets)
            for m in range(interfaces)
        ),
    )


def payloads(seed: int = 1) -> list[bytes]:
    """Return gzip'd envelopes, each of one interface; a tenth of the records has a peer that was not seen before."""
    rng = random.Random(seed)
    near = [f"10.0.{rng.randrange(200)}.{rng.randrange(10, 250)}" for _ in range(400)]
    far = [_public(rng) for _ in range(400)]
    made: list[bytes] = []
    for _ in range(ENVELOPES):
        subnet, host = rng.randrange(200), rng.randrange(25)
        interface, own = f"eni-{subnet:04x}{host:04x}", f"10.0.{subnet}.{host + 10}"
        events = []
        for number in range(EVENTS):
            other = rng.choices((rng.choice(near), rng.choice(far), _public(rng)), (60, 30, 10))[0]
            source, target = (own, other) if rng.random() < 0.5 else (other, own)
            action = "REJECT" if rng.random() < 0.05 else "ACCEPT"
            line = (
                f"2 123456789010 {interface} {source} {target} {rng.randrange(1024, 65000)} 443 6 "
                f"{rng.randrange(1, 99)} {rng.randrange(40, 99999)} 1700000000 {1700000000 + number % 60} {action} OK"
            )
            events.append({"id": f"{len(made):028d}{number:028d}", "timestamp": 1700000000000, "message": line})
        envelope = {
            "messageType": "DATA_MESSAGE",
            "owner": "123456789010",
            "logGroup": "flow-logs",
            "logStream": f"{interface}-all",
            "subscriptionFilters": ["to-kinesis"],
            "logEvents": events,
        }
        made.append(gzip.compress(json.dumps(envelope).encode()))
    return made


def _public(rng: random.Random) -> str:
    return f"{rng.randrange(20, 99)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"


def gunzip_alone(made: list[bytes]) -> None:
    for payload in made:
        igzip.decompress(payload)  # type: ignore[no-untyped-call]


def product(made: list[bytes]) -> None:
    counter = PayloadCounter(Formats(), Attributor(INDEX), frozenset({"22", "443"}), 2**26, window=Window())
    delta = Delta()
    for payload in made:
        counter.count(payload, ORIGIN, 1700000100.0, delta)
    assert sum(cell[0] for cell in delta.traffic.values()) == EVENTS * ENVELOPES


def standard_library(made: list[bytes]) -> None:
    """Count the same with json, gzip and a search through all networks."""
    totals: Counter[tuple[str, str, str]] = Counter()
    for payload in made:
        envelope = json.loads(gzip.decompress(payload))
        for event in envelope["logEvents"]:
            fields = event["message"].split()
            record = dict(zip(NAMES, fields, strict=True))
            subnet_id, addresses = INTERFACES[record["interface-id"]]
            other = record["dstaddr"] if record["srcaddr"] in addresses else record["srcaddr"]
            address = ipaddress.ip_address(other)
            peer = next((name for network, name in NETWORKS if address in network), "internet")
            totals[subnet_id, peer, record["action"]] += int(record["bytes"])


INVENTORY = inventory()
INDEX = Index(INVENTORY)
NAMES = LineFormat().fields
INTERFACES = {each.interface_id: (each.subnet_id, each.addresses) for each in INVENTORY.interfaces}
NETWORKS = [(ipaddress.ip_network(subnet.cidr), subnet.subnet_id) for subnet in INVENTORY.subnets]


def microseconds(work: Callable[[list[bytes]], None], made: list[bytes]) -> float:
    """Return the CPU time of one flow record."""
    started = time.process_time()
    work(made)
    return (time.process_time() - started) / (EVENTS * ENVELOPES) * 1e6


def main() -> None:
    """Measure all paths in each round, so that a busy machine disturbs all alike."""
    made = payloads()
    paths = {"gunzip alone": gunzip_alone, "product": product, "standard library": standard_library}
    times: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(ROUNDS):
        for name, work in paths.items():
            times[name].append(microseconds(work, made))
    floor = statistics.median(times["gunzip alone"])
    print(f"{'path':18} {'µs/record':>10} {'of gunzip':>10}   (median of {ROUNDS}, {EVENTS} events an envelope)")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:18} {middle:10.2f} {middle / floor:9.1f}×")


if __name__ == "__main__":
    main()
