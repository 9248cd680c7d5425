"""All ways of counting: line by line, with the short cut for ordinary lines, and as columns; and all in which their
deltas may differ.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.counting.ordinary_lines import OrdinaryLines
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.answers import heaviest
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.kinds import KINDS
from tests.support.builders import INVENTORY, NOW, ORIGIN

PORTS = frozenset({"22", "443", "0"})
LIMIT = 1_000_000


def outcome(delta: Delta, denials: Sequence[Denial] = ()) -> dict[str, Any]:
    """Return everything that a delta holds, the order only of what is in order."""
    return {
        "traffic": delta.traffic,
        "rejected_ports": dict(delta.rejected_ports),
        "counts": dict(delta.counts),
        "histograms": delta.histograms,
        "dead_letters": delta.dead_letters,
        "fingerprints": delta.fingerprints,
        "unlisted_subnets": delta.unlisted_subnets,
        "listed_subnets": sorted(delta.listed_subnets),
        "denials": list(denials),
        "who": said_by(delta),
    }


def said_by(delta: Delta) -> dict[str, Any]:
    """Return all that was collected of who sent what, by subnet."""
    if delta.who is None:
        return {}
    taken = sketches.decode(sketches.encode(delta.who.take(0)))
    return {
        each.subnets[0]: (
            {kind: sorted(heaviest(each.summary, kind, 1000)) for kind in range(KINDS)},
            {kind: found.hashes.tolist() for kind, found in each.distinct.items()},
        )
        for each in sketches.split(taken)
        if len(each.summary.rows.groups)
    }


def counter(
    as_columns: bool,
    index: Index,
    formats: tuple[str, ...] = (),
    on_denial: Callable[[Denial], None] | None = None,
    limit: int = LIMIT,
) -> PayloadCounter:
    """Return a counter that counts as columns whatever these can decide, or line by line."""
    return PayloadCounter(
        Formats(formats),
        Attributor(index),
        PORTS,
        limit,
        on_denial,
        Window(),
        max_unlisted_subnets=2,
        min_column_lines=1 if as_columns else None,
    )


def counted_all_ways(
    payloads: Sequence[bytes],
    formats: tuple[str, ...] = (),
    with_denials: bool = False,
    inventory: Inventory = INVENTORY,
    now: float = NOW,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Count payloads line by line, without a short cut and with it, one at a time; and as columns, all together.

    Return what each counted.
    """
    index = Index(inventory)

    def count(as_columns: bool) -> dict[str, Any]:
        denials: list[Denial] = []
        delta = Delta(Collector())
        made = counter(as_columns, index, formats, denials.append if with_denials else None)
        for payload in payloads:
            if as_columns:
                made.add(payload, ORIGIN, now, delta)
            else:
                made.count(payload, ORIGIN, now, delta)
        made.finish(now, delta)
        return outcome(delta, denials)

    with mock.patch.object(OrdinaryLines, "count", lambda _, events, tally: list(events)):
        reference = count(as_columns=False)
    return reference, count(as_columns=False), count(as_columns=True)


def as_cloudwatch_logs(
    messages: Sequence[Any], log_stream: str = "eni-a-all", first: int = 1, event: str = "", end: str = ""
) -> bytes:
    """Return an envelope as CloudWatch Logs writes it; `event` replaces the JSON of the event in the middle."""
    events = [
        f'{{"id":"{first + number:056d}","timestamp":{1_700_000_000_000 + number},"message":{json.dumps(message)}}}'
        for number, message in enumerate(messages)
    ]
    if event:
        events[len(events) // 2 :] = [event, *events[len(events) // 2 + 1 :]]
    head = f'{{"messageType":"DATA_MESSAGE","owner":"123456789010","logGroup":"flow-logs","logStream":"{log_stream}",'
    text = f'{head}"subscriptionFilters":["to-kinesis"],"logEvents":[{",".join(events)}]}}{end}'
    return gzip.compress(text.encode())
