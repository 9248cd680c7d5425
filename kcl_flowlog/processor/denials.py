"""A rejected flow as one line of JSON, for people and log pipelines: `--log-deny=json`.

The keys and their order are a contract with the readers. A value that the
record does not have is left out.
"""

from __future__ import annotations

import msgspec

from kcl_flowlog.counting.fields import NO_VALUE
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.escaping import escape_unprintable
from kcl_flowlog.timestamps import utc_timestamp


class _Line(msgspec.Struct, omit_defaults=True):
    time: str
    event: str = ""
    subnet_id: str = ""
    interface_id: str = ""
    direction: str = ""
    peer: str = ""
    protocol: str = ""
    srcaddr: str = ""
    srcport: int = -1
    dstaddr: str = ""
    dstport: int = -1
    packets: int = -1
    bytes: int = -1
    start: str = ""
    end: str = ""
    reject_reason: str = ""


_encode = msgspec.json.Encoder().encode


def denial_line(denial: Denial, now: float) -> msgspec.Raw:
    """Return a denial as JSON, with `now` (Unix seconds) as its time."""
    record, place = denial.record, denial.place
    line = _Line(
        time=utc_timestamp(now),
        event="reject",
        subnet_id=place.subnet_id if place else "",
        interface_id=_text(record.interface_id),
        direction=place.direction if place else "",
        peer=place.peer if place else "",
        protocol=record.protocol,
        srcaddr=_text(record.srcaddr),
        srcport=_port(record.srcport),
        dstaddr=_text(record.dstaddr),
        dstport=_port(record.dstport),
        packets=record.packets,
        bytes=record.bytes,
        start=utc_timestamp(record.start) if record.start else "",
        end=utc_timestamp(record.end) if record.end else "",
        reject_reason=_text(record.reject_reason),
    )
    return msgspec.Raw(escape_unprintable(_encode(line).decode()).encode())


def _text(field: str) -> str:
    return "" if field == NO_VALUE else field


def _port(field: str) -> int:
    return int(field) if field.isascii() and field.isdigit() and len(field) <= 5 else -1
