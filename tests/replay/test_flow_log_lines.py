"""Lines of flow logs, with and without headers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

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
    "a header with a byte order mark": (f"\ufeff{HEADER}\n{LINES}".encode(), OUTCOMES),
    "a header with a byte order mark, compressed": (gzip.compress(f"\ufeff{HEADER}\n{LINES}".encode()), OUTCOMES),
    "two files with byte order marks, concatenated": (
        f"\ufeffbytes dstaddr srcaddr interface-id\n7 8.8.8.8 10.0.1.10 eni-a\n\ufeff{HEADER}\n{GOOD}\n".encode(),
        {"counted": 2},
    ),
    "a line after a byte order mark": (f"\ufeff{GOOD}\n".encode(), {"counted": 1}),
    "an event after a byte order mark": (
        '\ufeff{"interfaceId":"eni-a","srcAddr":"10.0.1.10","dstAddr":"8.8.8.8","bytes":7}\n'.encode(),
        {"counted": 1},
    ),
    "a header with underscores": (
        b"bytes dst_addr srcaddr interface_id packets\n7 8.8.8.8 10.0.1.10 eni-a 1\n",
        {"counted": 1},
    ),
    "a header in upper case": (
        b"BYTES DSTADDR SRCADDR INTERFACE_ID PACKETS\n7 8.8.8.8 10.0.1.10 eni-a 1\n",
        {"counted": 1},
    ),
    "a header that begins with a field of the future": (
        b"moon_phase bytes dstaddr srcaddr interface-id\nwaxing 7 8.8.8.8 10.0.1.10 eni-a\n",
        {"counted": 1},
    ),
    "a header of a transit gateway in another order": (
        b"tgw-id tgw-attachment-id new-field srcaddr dstaddr bytes\ntgw-1 tgw-attach-1 x 10.0.1.1 10.9.9.9 44\n",
        {"unsupported": 1},
    ),
    "a sentence with a word that is a field": (f"start of the log\n{GOOD}\n".encode(), {"malformed": 1, "counted": 1}),
    "lines that an agent has wrapped": (
        b"".join(json.dumps({"message": each}).encode() + b"\n" for each in LINES.splitlines()),
        OUTCOMES,
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


@pytest.mark.parametrize(
    "spelling", [str, str.upper, lambda name: name.replace("-", "_"), lambda name: "\ufeff" + name]
)
def test_no_spelling_of_a_header_swaps_the_ends(spelling: Callable[[str], str]) -> None:
    """A header that is not recognised would leave the columns in the default order."""
    header = HEADER.replace("srcaddr dstaddr", "dstaddr srcaddr")
    line = "2 123456789012 eni-a 8.8.8.8 10.0.1.10 443 40000 6 1 40 1795571900 1795571960 ACCEPT OK"

    report = replay(f"{spelling(header)}\n{line}\n".encode())

    assert [("egress", 40)] == [(series.direction, series.bytes) for series in report.subnets["subnet-a"]]
    assert {"counted": 1} == nonzero(report.outcomes)


def test_query_logs_of_a_resolver_are_no_flow_logs() -> None:
    """They have an address, too."""
    query = {"version": "1.100000", "vpc_id": "vpc-1", "query_name": "example.com.", "srcaddr": "10.0.1.10"}

    report = replay(json.dumps(query).encode())

    assert {"message_not_flow_log": 1} == nonzero(report.malformed)
