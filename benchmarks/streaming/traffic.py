"""Realistic flow logs in the default format: gzip'd envelopes of one interface each.

60 % of the records are with 40 peers nearby, 30 % with 5,000 others (Zipf), 10 % with anyone. An envelope is made once
and then copied with other event ids, so that no copy is a second delivery; each copy is compressed anew.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

_PORTS = (443, 443, 443, 80, 53, 22, 5432, 6379, 8080, 9200, 3306)
_COPY = b"000000"
_BEGIN = 1_700_000_000


class Interface(NamedTuple):
    """An interface and its address."""

    interface_id: str
    address: str


class Template(NamedTuple):
    """An envelope, and what is in it."""

    text: bytes
    flows: int
    nodata: int


def templates(interfaces: Sequence[Interface], envelopes: int, events: int, seed: int = 1) -> list[Template]:
    """Return different envelopes of `events` log events each."""
    rng = random.Random(seed)
    far = [_public(rng) for _ in range(5000)]
    weights = [1 / (number + 1) for number in range(5000)]
    return [_template(rng, interfaces, far, weights, events) for _ in range(envelopes)]


def _template(
    rng: random.Random, interfaces: Sequence[Interface], far: Sequence[str], weights: Sequence[float], events: int
) -> Template:
    interface_id, own = rng.choice(interfaces)
    near = [rng.choice(interfaces).address for _ in range(40)]
    others = rng.choices(far, weights, k=events)
    begin = _BEGIN + rng.randrange(600)
    nodata = 0
    log_events = []
    for place in range(events):
        start = begin + rng.randrange(60)
        if rng.random() < 0.01:
            nodata += 1
            line = f"2 123456789010 {interface_id} - - - - - - - {start} {start + 60} - NODATA"
        else:
            line = _line(rng, interface_id, own, _other(rng, near, others[place]), start)
        event_id = f"3891{_COPY.decode()}{rng.randrange(10**20):020d}{place:026d}"
        log_events.append({"id": event_id, "timestamp": start * 1000, "message": line})
    envelope = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789010",
        "logGroup": "/vpc/flow-logs",
        "logStream": f"{interface_id}-all",
        "subscriptionFilters": ["to-kinesis"],
        "logEvents": log_events,
    }
    return Template(json.dumps(envelope, separators=(",", ":")).encode(), events - nodata, nodata)


def _other(rng: random.Random, near: Sequence[str], far: str) -> str:
    dice = rng.random()
    return rng.choice(near) if dice < 0.6 else far if dice < 0.9 else _public(rng)


def _line(rng: random.Random, interface_id: str, own: str, other: str, start: int) -> str:
    high, low = rng.randrange(32768, 60999), rng.choice(_PORTS)
    ends = (own, other, high, low) if rng.random() < 0.5 else (other, own, low, high)
    packets = int(rng.paretovariate(1.1))
    octets = packets * rng.randrange(40, 1460)
    protocol = 6 if rng.random() < 0.9 else 17
    action = "REJECT" if rng.random() < 0.05 else "ACCEPT"
    end = start + rng.randrange(10, 60)
    source, target, source_port, target_port = ends
    return (
        f"2 123456789010 {interface_id} {source} {target} {source_port} {target_port} {protocol} {packets} {octets}"
        f" {start} {end} {action} OK"
    )


def _public(rng: random.Random) -> str:
    return f"{rng.randrange(20, 99)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def copies(made: Sequence[Template], number: int) -> Iterator[bytes]:
    """Return `number` copies of all envelopes, compressed."""
    work = [(template.text, copy) for copy in range(number) for template in made]
    with ProcessPoolExecutor(2) as pool:
        yield from pool.map(_compressed, work, chunksize=50)


def _compressed(work: tuple[bytes, int]) -> bytes:
    text, copy = work
    return zlib.compress(text.replace(b'"id":"3891' + _COPY, b'"id":"3891%06d' % copy), 6, wbits=31)
