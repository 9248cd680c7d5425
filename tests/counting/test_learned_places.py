"""Unlisted interfaces in random networks: a learned place is the listed place, or the record is unattributed.

`LEARNED_NETWORKS=20000 pytest -s tests/counting/test_learned_places.py` tries many networks and prints the shares.
"""

from __future__ import annotations

import os
from collections import Counter

from kcl_flowlog.counting.attribution import Attributor, Place
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import LineFormat
from tests.support.networks import FORMAT, Network, Recorded, network

NETWORKS = int(os.environ.get("LEARNED_NETWORKS", "100"))
LINE_FORMAT = LineFormat(FORMAT)


def verdict(listed: Place | None, learned: Place | None) -> str:
    """Return how a learned place compares with the place of the listed interface."""
    if learned is None:
        return "unattributed"
    if listed is None or learned.subnet_id != listed.subnet_id:
        return "wrong subnet"
    if learned.direction == "unknown":
        return "direction unknown" if learned.peer in ("unknown", listed.peer) else "wrong peer"
    return "equal" if learned == listed else "wrong"


def verdicts(made: Network, batch: int) -> tuple[Counter[str], list[str]]:
    """Place the records in batches, and those without place or direction again at the end, as a shard does.

    Returns the verdicts of the last attempts, and what was wrong at any attempt.
    """
    oracle, attributor = Attributor(Index(made.listed)), Attributor(Index(made.unlisted))
    total: Counter[str] = Counter()
    wrong = []
    waiting: list[Recorded] = []
    for start in range(0, len(made.records) + batch, batch):
        some = made.records[start : start + batch]
        for recorded in some:
            attributor.learn([LINE_FORMAT.parse(recorded.line)], recorded.log_stream)
        for recorded in some or waiting:
            record = LINE_FORMAT.parse(recorded.line)
            found = verdict(*(each.locate(record, recorded.log_stream) for each in (oracle, attributor)))
            if some and found in ("unattributed", "direction unknown"):
                waiting.append(recorded)
                continue
            total[found] += 1
            if found.startswith("wrong"):
                wrong.append(f"{found}: {recorded}")
    return total, wrong


def test_a_learned_place_is_the_listed_place_or_none() -> None:
    """Never another subnet, direction or peer, whatever the records have in common."""
    total: Counter[str] = Counter()
    failures = {}
    for seed in range(NETWORKS):
        found, wrong = verdicts(network(seed), batch=1 + seed % 50)
        total += found
        if wrong:
            failures[seed] = wrong
    # For a run with many networks.
    shares = {name: f"{number / total.total():.1%}" for name, number in total.items()}
    print(f"{NETWORKS} networks, {total.total()} records: {shares}; {len(failures)} networks with a wrong place")

    assert {} == dict(list(failures.items())[:3])
    assert total["equal"] > 0.5 * total.total()
