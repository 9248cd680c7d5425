"""Denials: which rejected flows were put on the stream, and which of them were written to stdout."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kcl_flowlog.demo.envelopes import Envelope


class Denied(NamedTuple):
    """What identifies a rejected flow. Times are UTC, to the second."""

    interface_id: str
    srcaddr: str
    dstaddr: str
    srcport: int
    dstport: int
    packets: int
    bytes: int
    start: str
    end: str


_NUMBERS = frozenset(("srcport", "dstport", "packets", "bytes"))
_LINE_FIELDS = (
    *("version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport"),
    *("protocol", "packets", "bytes", "start", "end", "action", "status"),
)
_SECONDS = len("2000-01-01T00:00:00")


def denied_of(envelopes: Iterable[Envelope]) -> Iterator[Denied]:
    """Yield the rejected flows of envelopes from the demo's traffic."""
    for envelope in envelopes:
        if not envelope.data.startswith(b"\x1f\x8b"):
            continue
        for event in json.loads(gzip.decompress(envelope.data))["logEvents"]:
            fields = dict(zip(_LINE_FIELDS, event["message"].split(), strict=False))
            if fields.get("action") == "REJECT":
                times = {name: _utc(int(fields[name])) for name in ("start", "end")}
                yield _denied({**fields, **times})


def written(stdout: str) -> set[Denied]:
    """Return the denials in a text of lines; a line that a death has cut off does not count."""
    found = set()
    for line in stdout.splitlines():
        try:
            found.add(_denied(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _denied(fields: dict[str, str]) -> Denied:
    values = {name: int(fields[name]) if name in _NUMBERS else fields[name] for name in Denied._fields}
    values |= {name: fields[name][:_SECONDS] for name in ("start", "end")}
    return Denied(**values)  # type: ignore[arg-type]


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
