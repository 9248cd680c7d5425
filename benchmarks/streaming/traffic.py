"""Realistic flow logs in the default format: gzip'd envelopes of one interface each.

An envelope is made once and then copied with other event ids, so that no copy is a second delivery; each copy is
compressed anew.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from flow_logs import BEGIN, NEAR, Traffic, envelope

_COPY = b"000000"


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
    traffic = Traffic(rng)
    return [_template(rng, traffic, interfaces, events) for _ in range(envelopes)]


def _template(rng: random.Random, traffic: Traffic, interfaces: Sequence[Interface], events: int) -> Template:
    interface_id, own = rng.choice(interfaces)
    near = [rng.choice(interfaces).address for _ in range(NEAR)]
    begin = BEGIN + rng.randrange(600)
    nodata = 0
    log_events = []
    for place in range(events):
        start = begin + rng.randrange(60)
        flow = traffic.flow(interface_id, own, near, start)
        nodata += flow.is_nodata
        event_id = f"3891{_COPY.decode()}{rng.randrange(10**20):020d}{place:026d}"
        log_events.append({"id": event_id, "timestamp": start * 1000, "message": flow.line})
    return Template(envelope(interface_id, log_events), events - nodata, nodata)


def copies(made: Sequence[Template], number: int) -> Iterator[bytes]:
    """Return `number` copies of all envelopes, compressed."""
    work = [(template.text, copy) for copy in range(number) for template in made]
    with ProcessPoolExecutor(2) as pool:
        yield from pool.map(_compressed, work, chunksize=50)


def _compressed(work: tuple[bytes, int]) -> bytes:
    text, copy = work
    return zlib.compress(text.replace(b'"id":"3891' + _COPY, b'"id":"3891%06d' % copy), 6, wbits=31)
