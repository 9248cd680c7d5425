"""Lines, envelopes and an inventory for tests of the counting path."""

from __future__ import annotations

import gzip
import json
from typing import Any

from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.counting.waiting import WaitingRecords

ORIGIN = PayloadOrigin("shardId-000000000000", Position("1"))
NOW = 1_700_000_100.0

# Two VPCs with the same blocks, two zones, IPv6, and a secondary address.
INVENTORY = Inventory(
    1.0,
    (
        Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24", ("2001:db8:1:a::/64",)),
        Subnet("subnet-b", "vpc-1", "az1", "10.0.2.0/24"),
        Subnet("subnet-c", "vpc-1", "az2", "10.0.3.0/24", ("2001:db8:1:c::/64",)),
        Subnet("subnet-x", "vpc-2", "az1", "10.0.1.0/24"),
        Subnet("subnet-y", "vpc-2", "az2", "10.0.9.0/24"),
    ),
    (
        Interface("eni-a", "subnet-a", "vpc-1", ("10.0.1.10", "10.0.1.11", "2001:db8:1:a::10")),
        Interface("eni-b", "subnet-b", "vpc-1", ("10.0.2.10",)),
        Interface("eni-c", "subnet-c", "vpc-1", ("10.0.3.10", "2001:db8:1:c::10")),
        Interface("eni-x", "subnet-x", "vpc-2", ("10.0.1.10",)),
    ),
)


def line(source: str, target: str, interface: str = "eni-a", action: str = "ACCEPT", **fields: Any) -> str:
    """Return a line in the default format; `fields` are named as in the format, but `log-status` is `status`."""
    values = {
        "protocol": 6,
        "packets": 10,
        "bytes": 1000,
        "start": 1700000000,
        "end": 1700000060,
        "srcport": 40000,
        "dstport": 443,
        "status": "OK",
        **fields,
    }
    return (
        "2 123456789010 {i} {s} {t} {srcport} {dstport} {protocol} {packets} {bytes} {start} {end} {a} {status}".format(
            i=interface, s=source, t=target, a=action, **values
        )
    )


GOOD = line("10.0.1.10", "198.51.100.7")
NODATA = "2 123456789010 eni-a - - - - - - - 1700000000 1700000060 - NODATA"
SKIPDATA = "2 123456789010 eni-a - - - - - - - 1700000000 1700000060 - SKIPDATA"


def envelope(*messages: Any, **fields: Any) -> bytes:
    """Return a gzip'd envelope with an event for each message, a text or other JSON; `fields` replace keys."""
    events = [{"id": str(number), "timestamp": 0, "message": message} for number, message in enumerate(messages)]
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789010",
        "logGroup": "flow-logs",
        "logStream": "eni-a-all",
        "subscriptionFilters": ["to-kinesis"],
        "logEvents": events,
        **fields,
    }
    return gzip.compress(json.dumps(content).encode())


def counted(
    *payloads: bytes,
    inventory: Inventory = INVENTORY,
    limit: int = 1_000_000,
    formats: tuple[str, ...] = (),
    window: Window | None = None,
    waiting: WaitingRecords | None = None,
    log_groups: tuple[str, ...] = (),
) -> tuple[Delta, list[Denial]]:
    """Count payloads at `NOW`; return their delta and their denials."""
    denials: list[Denial] = []
    counter = PayloadCounter(
        Formats(formats),
        Attributor(Index(inventory)),
        frozenset({"22"}),
        limit,
        denials.append,
        window,
        waiting,
        log_groups=LogGroups(log_groups),
    )
    delta = Delta()
    for payload in payloads:
        counter.count(payload, ORIGIN, NOW, delta)
    counter.finish(NOW, delta)
    return delta, denials


def counter_for(
    inventory: Inventory = INVENTORY,
    *formats: str,
    waiting: WaitingRecords | None = None,
    log_groups: tuple[str, ...] = (),
) -> PayloadCounter:
    """Return a counter without denials and window; `formats` are values of --flow-log-format."""
    attributor = Attributor(Index(inventory))
    return PayloadCounter(
        Formats(formats), attributor, frozenset(), 1_000_000, waiting=waiting, log_groups=LogGroups(log_groups)
    )


def labelled(delta: Delta, count: str) -> dict[str, int]:
    """Return a count of the delta by label."""
    return {label: number for (name, label), number in delta.counts.items() if name == count}
