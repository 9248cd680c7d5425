"""Single bits flipped in the file of a ledger, and what opening and reading it then says."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kcl_flowlog.commits.damage import is_damage
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, RejectedPort
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import SERIES

SHARDS = [f"shardId-{number:012}" for number in range(4)]

RIGHT, DAMAGE = "right", "recognised damage"
"""The good outcomes of a flip."""


def realistic_delta(subnets: int, seed: int = 0) -> Delta:
    """Return a delta as a processor makes it: many series, ports, counts, histograms, fingerprints, a dead letter."""
    generator = random.Random(seed)
    delta = Delta()
    for number in range(subnets):
        for direction in ("ingress", "egress"):
            series = SERIES._replace(subnet_id=f"subnet-{number:017x}", direction=direction)
            delta.add_flow(series, generator.randrange(10**6), generator.randrange(10**9))
        delta.rejected_ports[RejectedPort(f"subnet-{number:017x}", "ingress", "tcp", "22")] += number + 1
    for outcome in ("counted", "nodata", "malformed", "duplicate"):
        delta.add(counts.EVENTS, outcome, generator.randrange(1, 10**6))
    delta.observe_many(counts.EVENT_DELAY, [0, *[1000] * 10], 1000, 45_000.0)
    delta.observe(counts.BATCH_DURATION, 0.2)
    delta.fingerprints += [generator.randbytes(8) for _ in range(100)]
    delta.add_dead_letter(DeadLetter(SHARDS[0], str(seed), 0, "bad_number", "line", "x" * 200))
    return delta


def fill(ledger: Ledger, subnets: int) -> None:
    """Commit for several shards, and leave a commit to be settled."""
    generation = ledger.begin_generation()
    for number, shard_id in enumerate(SHARDS):
        claim = ledger.claim(shard_id, generation)
        for upto in range(2):
            ledger.prepare(claim, Position(str(upto)), realistic_delta(subnets, 10 * number + upto).snapshot())
            ledger.fold(claim)
    ledger.prepare(ledger.claim(SHARDS[0], generation), Position("9"), realistic_delta(3).snapshot())
    ledger.claim(SHARDS[0], generation)
    ledger.note_shown(5)


def content(ledger: Ledger) -> dict[str, Any]:
    """Return all that the ledger says."""
    totals = ledger.totals()
    return {
        "traffic": sorted(totals.traffic),
        "rejected_ports": sorted(totals.rejected_ports),
        "counts": totals.counts,
        "histograms": totals.histograms,
        "shown": ledger.shown(),
        "left": ledger.left_commits(),
        "fingerprints": [ledger.fingerprints(shard_id) for shard_id in SHARDS],
        "dead_letters": ledger.dead_letters(),
    }


def flips(size: int, number: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield places of bits: the byte, and the bit in it."""
    generator = random.Random(seed)
    for _ in range(number):
        yield generator.randrange(size), generator.randrange(8)


def flip(data: bytes, place: int, bit: int) -> bytes:
    """Return the data with one bit flipped."""
    flipped = bytearray(data)
    flipped[place] ^= 1 << bit
    return bytes(flipped)


def outcome(read: Callable[[], dict[str, Any] | None], *right: dict[str, Any]) -> str:
    """Return `RIGHT` if `read` returns one of `right`, `DAMAGE` if it recognises damage, else what is wrong.

    `read` returns None if the ledger was set aside.
    """
    try:
        found = read()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is an outcome
        return DAMAGE if is_damage(error) else f"{type(error).__name__}: {str(error)[:60]}"
    if found is None:
        return DAMAGE
    return RIGHT if found in right else "wrong"


def read(path: Path) -> dict[str, Any]:
    """Open a ledger as a scrape or a processor does, and read all of it."""
    with Ledger(path) as ledger:
        return content(ledger)


def outcomes(path: Path, number: int, seed: int, read: Callable[[Path], dict[str, Any]] = read) -> Counter[str]:
    """Flip bits of a closed ledger, one at a time, and count the outcomes of reading it."""
    data = path.read_bytes()
    right = read(path)
    found: Counter[str] = Counter()
    for place, bit in flips(len(data), number, seed):
        path.write_bytes(flip(data, place, bit))
        found[outcome(lambda: read(path), right)] += 1
        for companion in ("-wal", "-shm"):
            path.with_name(path.name + companion).unlink(missing_ok=True)
    path.write_bytes(data)
    return found
