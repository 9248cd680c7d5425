"""Realistic flow logs for the benchmarks: lines in the default format, and CloudWatch Logs' envelope around them.

60 % of the records are with peers nearby, 30 % with 5,000 others, of which few are frequent (Zipf), 10 % with anyone.
A hundredth of the lines says NODATA.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

NEAR = 40
"""How many peers nearby an interface has."""
BEGIN = 1_700_000_000
_FAR = 5000
_PORTS = (443, 443, 443, 80, 53, 22, 5432, 6379, 8080, 9200, 3306)


class Flow(NamedTuple):
    """A line; its two addresses, and its direction as the interface sees it, unless it says NODATA."""

    line: str
    source: str = ""
    target: str = ""
    is_egress: bool = False

    @property
    def is_nodata(self) -> bool:
        """Whether the line tells of no flow."""
        return not self.source


class Traffic:
    """Draws flows; `rng` decides."""

    def __init__(self, rng: random.Random, is_ipv6: bool = False) -> None:
        self._rng = rng
        self._is_ipv6 = is_ipv6
        self._far = [self._anyone() for _ in range(_FAR)]
        self._weights = [*accumulate(1 / (number + 1) for number in range(_FAR))]

    def flow(self, interface_id: str, own: str, near: Sequence[str], start: int, version: int = 2) -> Flow:
        """Return a flow of an interface with the address `own`, which begins at `start` in Unix seconds."""
        rng = self._rng
        if rng.random() < 0.01:
            return Flow(f"2 123456789010 {interface_id} - - - - - - - {start} {start + 60} - NODATA")
        other = self._peer(near)
        high, low = rng.randrange(32768, 60999), rng.choice(_PORTS)
        is_egress = rng.random() < 0.5
        ends = (own, other, high, low) if is_egress else (other, own, low, high)
        packets = int(rng.paretovariate(1.1))
        octets = packets * rng.randrange(40, 1460)
        protocol = 6 if rng.random() < 0.9 else 17
        action = "REJECT" if rng.random() < 0.05 else "ACCEPT"
        line = (
            f"{version} 123456789010 {interface_id} {' '.join(map(str, ends))} {protocol} {packets} {octets}"
            f" {start} {start + rng.randrange(10, 60)} {action} OK"
        )
        return Flow(line, ends[0], ends[1], is_egress)

    def _peer(self, near: Sequence[str]) -> str:
        dice = self._rng.random()
        if dice < 0.6:
            return self._rng.choice(near)
        return self._rng.choices(self._far, cum_weights=self._weights)[0] if dice < 0.9 else self._anyone()

    def _anyone(self) -> str:
        rng = self._rng
        if self._is_ipv6:
            return f"2600:{rng.randrange(1, 65536):x}:{rng.randrange(1, 65536):x}::{rng.randrange(1, 65536):x}"
        return f"{rng.randrange(20, 99)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def envelope(interface_id: str, log_events: list[dict[str, Any]]) -> bytes:
    """Return the envelope around log events of an interface."""
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789010",
        "logGroup": "/vpc/flow-logs",
        "logStream": f"{interface_id}-all",
        "subscriptionFilters": ["to-kinesis"],
        "logEvents": log_events,
    }
    return json.dumps(content, separators=(",", ":")).encode()
