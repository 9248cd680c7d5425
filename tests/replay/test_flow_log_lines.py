"""Lines of flow logs, with and without headers."""

from __future__ import annotations

import gzip

import pytest

from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from tests.support.builders import GOOD
from tests.support.replay import LINES, imbalances_in, nonzero, replay

HEADER = DEFAULT_FORMAT.replace("${", "").replace("}", "")
TRANSIT = "6 TransitGateway 123456789010 tgw-1 tgw-attach-1 10.0.1.1 10.9.9.9 44 OK"
OUTCOMES = {"counted": 2, "nodata": 1, "skipdata": 1, "malformed": 1}

# A file, and its log events by outcome.
FILES: dict[str, tuple[bytes, dict[str, int]]] = {
    "lines": (LINES.encode(), OUTCOMES),
    "lines with CR LF": (LINES.replace("\n", "\r\n").encode(), OUTCOMES),
    "a line without an end": (GOOD.encode(), {"counted": 1}),
    "a header": (f"{HEADER}\n{LINES}".encode(), OUTCOMES),
    "only a header": (f"{HEADER}\n".encode(), {}),
    "a header with another order": (
        b"bytes dstaddr srcaddr interface-id packets\n7 8.8.8.8 10.0.1.10 eni-a 1\n",
        {"counted": 1},
    ),
    "two files with headers, concatenated": (
        f"bytes dstaddr srcaddr interface-id\n7 8.8.8.8 10.0.1.10 eni-a\n{HEADER}\n{GOOD}\n".encode(),
        {"counted": 2},
    ),
    "a header with a field of the future": (f"{HEADER} colour\n{GOOD} blue\n".encode(), {"counted": 1}),
    "a first word that is a field, but not a header": (
        f"bytes 1,000\n{GOOD}\n".encode(),
        {"malformed": 1, "counted": 1},
    ),
    "a transit gateway's file": (
        b"version resource-type account-id tgw-id tgw-attachment-id srcaddr dstaddr bytes log-status\n"
        + TRANSIT.encode(),
        {"unsupported": 1},
    ),
    "an export of CloudWatch Logs": (f"2023-11-14T22:13:20.000Z {GOOD}\n".encode(), {"counted": 1}),
    "an export with a time zone": (f"2023-11-14T22:13:20+01:00 {GOOD}\n".encode(), {"counted": 1}),
    "compressed": (gzip.compress(LINES.encode()), OUTCOMES),
    "several gzip members": (gzip.compress(f"{GOOD}\n".encode()) * 3, {"counted": 3}),
    "events transformed to JSON": (
        b'{"version":2,"interfaceId":"eni-a","srcAddr":"10.0.1.10","dstAddr":"8.8.8.8","protocol":6,"bytes":7}\n'
        b'{"x":1}\n',
        {"counted": 1, "malformed": 1},
    ),
    "not UTF-8": (b"\xff\xfe caf\xe9\n", {"malformed": 1}),
    "a line of megabytes": (b"x" * 3_000_000 + b"\n" + GOOD.encode(), {"counted": 1, "malformed": 1}),
    "more lines than are held at once": (b"bad\n" * 10_001, {"malformed": 10_001}),
}


@pytest.mark.parametrize("name", FILES)
def test_lines_are_counted(name: str) -> None:
    """Each line is a log event, and the counts add up."""
    content, events = FILES[name]

    report = replay(content)

    assert (events, {}) == (nonzero(report.outcomes), nonzero(report.payloads))
    assert [] == imbalances_in(report, sum(events.values()))


def test_a_header_sets_the_meaning_of_the_columns() -> None:
    """Until the next header."""
    first = "bytes dstaddr srcaddr interface-id\n7 8.8.8.8 10.0.1.10 eni-a"
    second = "interface-id srcaddr dstaddr packets bytes\neni-a 10.0.1.10 8.8.8.8 2 3"

    report = replay(f"{first}\n{second}\n".encode())

    assert (2, 10) == tuple(
        sum(getattr(series, unit) for series in report.subnets["subnet-a"]) for unit in ("packets", "bytes")
    )
