"""Columns, line by line and its short cut never differ, whatever the lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.counting import counts, outcomes, payload
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.flow_record import USED_FIELDS
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_by_line import LineByLine
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.counting.who.kinds import EGRESS, SOURCE
from tests.support.builders import GOOD, INVENTORY, NODATA, NOW, ORIGIN, SKIPDATA, envelope, labelled, line
from tests.support.columns import as_cloudwatch_logs, counted_all_ways, counter

# Values of each kind of field: first those of ordinary lines, then all that somebody may write there.
_ADDRESSES = (
    *("10.0.1.10", "10.0.1.10", "198.51.100.7", "10.0.2.10", "10.0.1.11", "2001:db8:1:a::10", "2001:db8:1:c::10"),
    *("10.0.3.10", "10.0.9.9", "10.0.7.7", "172.16.0.1", "224.0.0.1", "0.0.0.0", "255.255.255.255", "100.64.0.1"),
    *("2001:db8::1", "fe80::1", "ff02::1", "::", "::ffff:10.0.1.10", "2001:DB8:1:a::10", "2001:db8:1:a:0:0:0:10"),
    *("010.0.1.10", "10.0.1.010", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1..3.4", "10.0.1.1o", ".1.2.3.4", "1.2.3.", "-"),
    *("1000.1.1.1", "10.0.1.1000", "00.0.0.0", ":", "x", "+1.2.3.4"),
)
_NUMBERS = (
    *("0", "1", "10", "1500", "99999999", "123456789", "999999999999999"),
    *("1000000000000000", "0000000000000001", "007", "-", "-1", "+1", "1_0", "1.5", "x", "99999999x", "x9999999"),
)
_TIMES = (
    *("1700000000", "1700000060", "1699990000", "1700000161", "0", "0000000000", "0000000001", "9999999999"),
    *("1700000000000", "99999999999", "253402300799", "253402300800", "-", "17000000x0", "x700000000", "1e9"),
)
_VALUES = {
    "log-status": ("OK", "OK", "OK", "OK", "OK", "NODATA", "SKIPDATA", "-", "ok", "KO", "XOK", "NODATAX"),
    "interface-id": (
        "eni-a",
        "eni-a",
        "eni-b",
        "eni-x",
        "eni-c",
        "-",
        "eni-ab",
        "eni-facefeed",
        "eni-0badcafe",
        "xeni-a",
    ),
    "subnet-id": (
        "subnet-a",
        "subnet-a",
        "-",
        "subnet-b",
        "subnet-0badcafe",
        "subnet-1badcafe",
        "subnet-2badcafe",
        "x",
    ),
    "vpc-id": ("vpc-1", "-", "vpc-2", "vpc-0badcafe", "x"),
    "srcport": ("443", "-", "x"),
    "dstport": ("22", "443", "0", "8080", "022", "22x", "122", "-", "65535"),
    "protocol": ("6", "17", "1", "58", "0", "255", "256", "06", "006", "1000", "-", "x", "6x"),
    "packets": _NUMBERS,
    "bytes": _NUMBERS,
    "start": _TIMES,
    "end": _TIMES,
    "action": ("ACCEPT", "ACCEPT", "REJECT", "-", "REJECTED", "accept", "XACCEPT"),
    "flow-direction": ("ingress", "egress", "-", "xingress", "in"),
    "reject-reason": ("-", "BPA"),
    "pkt-src-aws-service": ("-", "S3", "AMAZON", "DYNAMODB", "XDYNAMODB", "S3X", "x", "DYNAMODBDYNAMODB"),
    "pkt-dst-aws-service": ("-", "S3", "AMAZON", "DYNAMODB", "XDYNAMODB", "S3X", "x", "DYNAMODBDYNAMODB"),
    "traffic-path": ("-", "1", "8", "5", "9", "0", "01", "11", "x"),
}
_SPACES = ("  ", "\t", "\n", "\r\n", "\x1c", "\xa0", "\u2003", "\0", "x")
_WHOLE_LINES = (GOOD, NODATA, SKIPDATA, "", "-", "{", '{"srcAddr": "10.0.1.10", "dstAddr": "8.8.8.8"}', "x" * 3000, "é")

# JSON in place of an event, from an ordinary event to what is no JSON at all.
_EVENTS = (
    *("", "", "", ""),
    f'{{"id":"1","timestamp":1700000000000,"message":"{GOOD}"}}',
    f'{{"id":"","timestamp":1700000000000,"message":"{GOOD}"}}',
    f'{{"id":"1","timestamp":0700000000000,"message":"{GOOD}"}}',
    f'{{"id":"1","timestamp":170000000000,"message":"{GOOD}"}}',
    f'{{"id":"1","timestamp":1700000000x00,"message":"{GOOD}"}}',
    f'{{"id":"1","timestamp":1700000000000, "message":"{GOOD}"}}',
    f'{{"id":"1","timestamp":1700000000000,"messages":"{GOOD}"}}',
    f'{{"id":"1","timestamp":1700000000000,"message":"{GOOD}","message":"{NODATA}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":" {GOOD[2:]}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"{GOOD[:-2]}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"{GOOD} OK"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"{GOOD[:-2]}}}}}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"{GOOD[:9]}}}{GOOD[10:]}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"}}"}}',
    f'{{"id":"{7:056d}","timestamp":1700000000000,"message":"{"7" * 400}{GOOD}"}}',
    f'{{"id":"{7:055d}","timestamp":1700000000000,"message":"7{GOOD}"}}',
    f'{{"message":"{GOOD}","id":"1"}}',
    f'{{"id":"\\u0031","timestamp":1700000000000,"message":"{GOOD}"}}',
    f'{{"id":"é","timestamp":1700000000000,"message":"{GOOD}"}}',
    f'{{"id":"1 2","timestamp":1700000000000,"message":"{GOOD}"}}',
    f'{{"id":"1\x01","timestamp":1700000000000,"message":"{GOOD}"}}',
    *("{}", "7", "{", "}", ",", '"'),
)

_V5 = (
    "${version} ${vpc-id} ${subnet-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol}"
    " ${packets} ${bytes} ${start} ${end} ${action} ${tcp-flags} ${pkt-srcaddr} ${pkt-dstaddr} ${flow-direction}"
    " ${log-status} ${pkt-src-aws-service} ${pkt-dst-aws-service} ${traffic-path}"
)


@st.composite
def _formats(draw: st.DrawFn) -> str:
    """Return the default format, or any others of the used fields in any order."""
    if draw(st.booleans()):
        return draw(st.sampled_from((DEFAULT_FORMAT, _V5)))
    names = draw(st.lists(st.sampled_from([*USED_FIELDS, "version", "region"]), unique=True, max_size=12))
    names = list(dict.fromkeys(["srcaddr", "dstaddr", "log-status", *names]))
    return " ".join(f"${{{name}}}" for name in draw(st.permutations(names)))


@st.composite
def _lines(draw: st.DrawFn, fields: tuple[str, ...]) -> str:
    """Return a line of a format with mostly ordinary values; most lines are well-formed."""
    words = []
    hostility = draw(st.integers(0, 3))
    for name in fields:
        values = _ADDRESSES if name.endswith("addr") else _VALUES.get(name, ("2", "-", "x"))
        words.append(values[draw(st.integers(0, (len(values) - 1) if hostility > 2 else min(3, len(values) - 1)))])
    if hostility == 2:
        place = draw(st.integers(0, len(words) - 1))
        words[place] += draw(st.sampled_from(_SPACES))
    return " ".join(words)


@st.composite
def _payloads(draw: st.DrawFn) -> tuple[tuple[str, ...], list[bytes]]:
    formats = (draw(_formats()), *draw(st.sampled_from(((), (), (DEFAULT_FORMAT,), (_V5,)))))
    of_formats = (_lines(LineFormat(line_format).fields) for line_format in formats)
    lines = st.one_of(*of_formats, st.sampled_from((*_WHOLE_LINES, None, 7)))
    streams = st.sampled_from(("eni-a-all", "eni-a-all", "eni-b-all", "eni-facefeed-all", "other"))
    made = []
    for number in range(draw(st.integers(1, 4))):
        messages = draw(st.lists(lines, max_size=8))
        log_stream = draw(streams)
        if draw(st.booleans()):
            event, end = draw(st.sampled_from(_EVENTS)), draw(st.sampled_from(("", "", "", "\n", "}", "[]")))
            content = as_cloudwatch_logs(messages, log_stream, draw(st.integers(1, 2)), event, end)
        else:
            content = envelope(*messages, logStream=log_stream, subscriptionFilters=[str(number)])
        made.append(content if draw(st.integers(0, 9)) else content[: len(content) // 2])
    return formats, made


@given(_payloads(), st.booleans(), st.sampled_from((NOW, NOW + 0.337)))
def test_all_ways_count_the_same(made: tuple[tuple[str, ...], list[bytes]], with_denials: bool, now: float) -> None:
    """Valid, special and hostile lines of any formats in any mixture."""
    formats, payloads = made

    by_line, shortly, as_columns = counted_all_ways(payloads, formats, with_denials, now=now)

    assert by_line == shortly == as_columns


def _all_lines(field: str) -> list[str]:
    """Return a good line of the v5 format for each value of a field; or each pair, for an address."""
    good = {
        "version": "5",
        "vpc-id": "vpc-1",
        "subnet-id": "-",
        "tcp-flags": "0",
        "region": "-",
        **{name: values[0] for name, values in _VALUES.items()},
        "srcaddr": "10.0.1.10",
        "dstaddr": "198.51.100.7",
        "pkt-srcaddr": "-",
        "pkt-dstaddr": "-",
        "flow-direction": "-",
        "start": "1700000000",
        "end": "1700000060",
    }
    names = LineFormat(_V5).fields
    made = []
    for value in _ADDRESSES if field.endswith("addr") else _VALUES[field]:
        for action, direction in product(("ACCEPT", "REJECT"), ("-", "ingress", "egress")):
            words = {**good, "action": action, "flow-direction": direction, field: value}
            made.append(" ".join(words[name] for name in names))
    return made


@pytest.mark.parametrize("field", [name for name in LineFormat(_V5).fields if name not in ("version", "tcp-flags")])
def test_every_value_of_a_field_counts_the_same(field: str) -> None:
    """In an otherwise good line; and all of them in one block."""
    lines = _all_lines(field)

    payloads = [*map(as_cloudwatch_logs, (lines, lines[:1])), *(envelope(*some) for some in (lines, *zip(lines)))]

    by_line, shortly, as_columns = counted_all_ways(payloads, (_V5,))

    assert by_line == shortly == as_columns


def test_lines_of_two_formats_in_turn_count_the_same() -> None:
    """Nothing of a line is left over for the next."""
    words = _all_lines("traffic-path")[-1]
    payloads = [make([words, GOOD, words, GOOD]) for make in (as_cloudwatch_logs, lambda lines: envelope(*lines))]

    by_line, shortly, as_columns = counted_all_ways(payloads, (DEFAULT_FORMAT, _V5))

    assert by_line == shortly == as_columns
    assert {"unknown", "other"} == {series.path for series in by_line["traffic"]}


@pytest.mark.parametrize("make", [as_cloudwatch_logs, lambda lines: envelope(*lines)])
def test_good_lines_are_decided_as_columns(
    make: Callable[[Sequence[str]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that AWS writes never go line by line: IPv4, IPv6, rejected, and without flow."""
    lines = [
        GOOD,
        line("198.51.100.7", "10.0.1.10", action="REJECT"),
        line("2001:db8:1:a::10", "2001:db8::1"),
        line("10.0.1.11", "10.0.1.10", "eni-x"),
        line("10.0.9.9", "10.0.2.10", "eni-b"),
        NODATA,
        SKIPDATA,
    ]
    monkeypatch.delattr(LineByLine, "count")
    delta = Delta()

    counter(True, Index(INVENTORY)).count(make(lines), ORIGIN, NOW, delta)

    assert {outcomes.COUNTED: 5, outcomes.NODATA: 1, outcomes.SKIPDATA: 1} == labelled(delta, counts.EVENTS)


def test_events_of_cloudwatch_logs_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor those of many envelopes together."""
    monkeypatch.delattr(payload, "open_text")
    made = counter(True, Index(INVENTORY))
    delta = Delta()

    for number in range(0, 9, 2):
        long = GOOD.replace("2 ", f"{'2' * 40 * number} ", 1) if number else GOOD
        made.add(as_cloudwatch_logs([long, NODATA], first=number), ORIGIN, NOW, delta)
    made.flush()

    assert {outcomes.COUNTED: 5, outcomes.NODATA: 5} == labelled(delta, counts.EVENTS)


@pytest.mark.parametrize("lengths", [(0, 1), (0, 200, 0, 7, 199), (300, 0, 0, 0, 0, 0, 0), (1800, 0)])
def test_lines_of_any_length_count_the_same(lengths: Sequence[int]) -> None:
    """Also if a short line follows a long one, or precedes it."""
    lines = [GOOD.replace("2 ", f"{'2' * (1 + length)} ", 1) for length in lengths for _ in range(2)]

    by_line, shortly, as_columns = counted_all_ways([as_cloudwatch_logs(lines), as_cloudwatch_logs(lines[::-1])])

    assert by_line == shortly == as_columns
    assert 2 * len(lines) == by_line["counts"][counts.EVENTS, outcomes.COUNTED]


def test_sums_beyond_64_bits_are_exact() -> None:
    """The largest numbers, more often than a sum of 64 bits holds."""
    largest = line("10.0.1.10", "198.51.100.7", packets=999_999_999_999_999, bytes=999_999_999_999_999)
    payloads = [envelope(*[largest] * 2000, logGroup=str(number)) for number in range(6)]

    by_line, shortly, as_columns = counted_all_ways(payloads)
    # Columns look at some of so many lines, and the sums are no whole numbers any more.
    assert by_line.pop("who").keys() == shortly.pop("who").keys() == as_columns.pop("who").keys()

    assert by_line == shortly == as_columns
    assert 12_000 * 999_999_999_999_999 == sum(cell[2] for cell in as_columns["traffic"].values())


def test_the_short_cut_leaves_the_same_records_to_stand_for_others() -> None:
    """Of many accepted flows; a rejected flow always counts, and nothing stands for a flow without a peer."""
    accepted = [line("10.0.1.10", f"198.51.100.{number % 50}", bytes=1000 + number) for number in range(1500)]
    others = [
        line("10.0.1.10", "-", bytes=100),
        line("198.51.100.7", "10.0.1.10", action="REJECT", bytes=40),
    ]
    lines = [each for place, text in enumerate(accepted) for each in (text, *(others if place > 600 else ()))]

    by_line, shortly, _ = counted_all_ways([envelope(*lines)])

    assert by_line == shortly


def test_columns_of_many_lines_know_the_bytes_of_all_peers_together() -> None:
    """They look at some: a large flow counts as it is, a small one for all that are like it."""
    lines = [line("10.0.1.10", f"198.51.100.{number % 50}", bytes=100) for number in range(3000)]
    lines[1500] = line("10.0.1.10", "203.0.113.9", bytes=1_000_000)

    _, _, as_columns = counted_all_ways([as_cloudwatch_logs(lines)])

    kinds, _ = as_columns["who"]["subnet-a"]
    found = {name: about for name, about, _ in kinds[EGRESS]}
    assert 1_000_000 == found.pop("203.0.113.9")
    assert pytest.approx(300_000, rel=0.05) == sum(found.values())


def test_a_quiet_log_stream_is_looked_at_beside_a_busy_one() -> None:
    """Each has another threshold, and the bytes of both are right on average."""
    busy = [line("10.0.1.10", f"198.51.100.{number % 50}", bytes=1_000_000 + number) for number in range(2000)]
    quiet = [line("10.0.2.10", "203.0.113.9", "eni-b", bytes=100 + number) for number in range(100)]

    _, _, as_columns = counted_all_ways([as_cloudwatch_logs(busy), as_cloudwatch_logs(quiet, "eni-b-all")])

    sums = {}
    for subnet_id, (kinds, _) in as_columns["who"].items():
        sums[subnet_id] = sum(about for _, about, _ in kinds[EGRESS])
    assert {"subnet-a": 2_001_999_000, "subnet-b": 14_950} == pytest.approx(sums, rel=0.25)


def test_a_rejected_flow_without_an_address_is_left_out() -> None:
    """Also by columns; others that wait with it are there."""
    lines = [line(source, "10.0.1.10", action="REJECT") for source in ("-", "198.51.100.7", "-")]

    by_line, shortly, as_columns = counted_all_ways([envelope(*lines)])

    assert by_line == shortly == as_columns
    kinds, _ = by_line["who"]["subnet-a"]
    assert [("198.51.100.7", 1, 1)] == kinds[SOURCE]
