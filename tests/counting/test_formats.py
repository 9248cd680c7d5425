"""Which format a line is read with: by --flow-log-format, by EC2, and by what the line looks like."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.counting import transit_gateway
from kcl_flowlog.counting.fields import FIELDS, NO_VALUE
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.formats import Formats, LineReader, parse_option
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.counting.log_stream import LogStream
from kcl_flowlog.counting.subnets import FlowLog, Inventory
from kcl_flowlog.errors import ConfigError, Malformed, Unsupported
from tests.support.builders import INVENTORY

OWNER = "123456789010"
SHORT = "${srcaddr} ${dstaddr} ${bytes} ${action}"
SHORT_LINE = "10.0.1.10 8.8.8.8 700 REJECT"
# As many fields as SHORT, told apart by what they look like.
OTHER = "${interface-id} ${action} ${packets} ${protocol}"
OTHER_LINE = "eni-a ACCEPT 5 17"
# The same fields as SHORT, in an order that no line can tell from it.
SWAPPED = "${dstaddr} ${srcaddr} ${bytes} ${action}"
TRANSIT = (
    "${version} ${resource-type} ${account-id} ${tgw-id} ${tgw-attachment-id} ${srcaddr} ${dstaddr} ${bytes}"
    " ${log-status}"
)
TRANSIT_LINE = f"6 TransitGateway {OWNER} tgw-1 tgw-attach-1 10.0.1.1 10.9.9.9 44 OK"
DEFAULT_LINE = f"2 {OWNER} eni-a 10.0.1.10 8.8.8.8 4000 443 6 10 1000 1700000000 1700000060 ACCEPT OK"
LOG_STREAM = LogStream(OWNER, "group", "eni-a-all")


def flow_log(log_format: str, resource: str = "vpc-1", group: str = "group", account: str = OWNER) -> FlowLog:
    return FlowLog(f"fl-{log_format}-{resource}", resource, group, log_format, account_id=account)


def reader(*flow_logs: FlowLog, options: tuple[str, ...] = ()) -> LineReader:
    index = Index(Inventory(1.0, INVENTORY.subnets, INVENTORY.interfaces, flow_logs))
    return Formats(options).reader(LOG_STREAM, index)


def bytes_of(line_reader: LineReader, line: str) -> int | str:
    """Return the bytes of a line, or the reason why it can't be read."""
    try:
        return line_reader.read(line).bytes
    except Malformed as bad:
        return bad.reason
    except Unsupported:
        return "unsupported"


# The claim, the flow logs of the inventory, the values of --flow-log-format, the line, and its bytes or reason.
CASES = {
    "nothing is known: the default": ([], (), DEFAULT_LINE, 1000),
    "nothing is known, and the line is not of the default format": ([], (), SHORT_LINE, "field_count"),
    "EC2's format of the log group": ([flow_log(SHORT)], (), SHORT_LINE, 700),
    "EC2's format of another log group": ([flow_log(SHORT, group="else")], (), SHORT_LINE, "field_count"),
    "two flow logs of a log group: by the number of fields": (
        [flow_log(SHORT), flow_log(DEFAULT_FORMAT)],
        (),
        DEFAULT_LINE,
        1000,
    ),
    "two formats with as many fields: by what they look like": (
        [flow_log(SHORT), flow_log(OTHER)],
        (),
        SHORT_LINE,
        700,
    ),
    "two formats with as many fields: the other format": ([flow_log(SHORT), flow_log(OTHER)], (), OTHER_LINE, 0),
    "a line that fits neither": ([flow_log(SHORT), flow_log(OTHER)], (), "a b c d", "format_unfit"),
    "a line that fits both": ([flow_log(SHORT), flow_log(SWAPPED)], (), SHORT_LINE, "format_undecided"),
    "a line that both formats read alike": (
        [flow_log(SHORT), flow_log(SWAPPED)],
        (),
        "10.0.1.10 10.0.1.10 5 ACCEPT",
        5,
    ),
    "two flow logs with the same format": ([flow_log(SHORT), flow_log(SHORT, "vpc-2")], (), SHORT_LINE, 700),
    "only the flow log that covers the log stream's interface": (
        [flow_log(SHORT, "vpc-1"), flow_log(SWAPPED, "vpc-2")],
        (),
        SHORT_LINE,
        700,
    ),
    "only the flow log that covers its subnet": (
        [flow_log(SHORT, "subnet-a"), flow_log(SWAPPED, "eni-b")],
        (),
        SHORT_LINE,
        700,
    ),
    "only the flow log of the log group's account": (
        [flow_log(SHORT), flow_log(SWAPPED, account="999999999999")],
        (),
        SHORT_LINE,
        700,
    ),
    "no flow log of the account: those of a log group of the same name": (
        [flow_log(SHORT, account="999999999999")],
        (),
        SHORT_LINE,
        700,
    ),
    "a line of a deleted flow log": ([flow_log(SHORT)], (), DEFAULT_LINE, 1000),
    "a line that only has as many fields as the default": ([flow_log(SHORT)], (), "a " * 14, "field_count"),
    "--flow-log-format wins over EC2": ([flow_log(SWAPPED)], (SHORT,), SHORT_LINE, 700),
    "--flow-log-format for the log group wins over that for all": (
        [],
        (DEFAULT_FORMAT, f"group={SHORT}"),
        SHORT_LINE,
        700,
    ),
    "--flow-log-format for another log group does not count": ([], (f"else={SHORT}",), SHORT_LINE, "field_count"),
    "several --flow-log-format": ([], (SHORT, OTHER), OTHER_LINE, 0),
    "a format in EC2 that is not valid": ([flow_log("nonsense")], (), DEFAULT_LINE, 1000),
    "a transit gateway's flow log": ([flow_log(TRANSIT, "tgw-1")], (), TRANSIT_LINE, "unsupported"),
    "a transit gateway's line without a flow log in EC2": ([], (), TRANSIT_LINE, "unsupported"),
    "a transit gateway's line beside a VPC's of as many fields": (
        [flow_log(" ".join(["${version}", "${type}", *(f"${{{name}}}" for name in list(FIELDS)[1:8])]))],
        (),
        TRANSIT_LINE,
        "unsupported",
    ),
    "a line that fits two formats, but is malformed in the first": (
        [flow_log("${protocol} ${bytes}"), flow_log("${srcport} ${bytes}")],
        (),
        "999 5",
        5,
    ),
    "a line that fits only the format of a transit gateway": (
        [flow_log("${tgw-id} ${bytes}"), flow_log("${srcport} ${bytes}")],
        (),
        "tgw-1 5",
        "unsupported",
    ),
    "as many fields, alike but for the version: the line's version decides": (
        [
            flow_log("${version} ${srcaddr} ${dstaddr} ${bytes}"),
            flow_log("${version} ${pkt-srcaddr} ${srcaddr} ${bytes}"),
        ],
        (),
        "3 10.0.1.10 8.8.8.8 700",
        700,
    ),
    "the version of neither format": (
        [flow_log("${version} ${srcaddr} ${bytes}"), flow_log("${version} ${dstaddr} ${bytes}")],
        (),
        "5 10.0.1.10 700",
        "format_unfit",
    ),
    "a field of an unknown name may be of a later version": (
        [flow_log("${version} ${moon-phase} ${bytes}"), flow_log("${version} ${bytes} ${action}")],
        (),
        "12 7 700",
        700,
    ),
    "but not of an earlier version than the others": (
        [
            flow_log("${version} ${pkt-srcaddr} ${moon-phase} ${bytes}"),
            flow_log("${version} ${srcaddr} ${bytes} ${packets}"),
        ],
        (),
        "2 10.0.1.10 700 7",
        700,
    ),
    "no version in the line": (
        [flow_log("${version} ${bytes} ${action}"), flow_log("${version} ${action} ${bytes}")],
        (),
        "- 700 ACCEPT",
        700,
    ),
    "a line of 14 fields of a later version is not of the default format": (
        [flow_log(SHORT)],
        (),
        DEFAULT_LINE.replace("2", "3", 1),
        "field_count",
    ),
    "a transit gateway's version is 6": (
        [flow_log("${version} ${tgw-src-eni} ${bytes}"), flow_log("${version} ${interface-id} ${bytes}")],
        (),
        "6 eni-a 700",
        "unsupported",
    ),
    "a flow that ends before it begins is read by no format": (
        [flow_log("${bytes} ${start} ${end}"), flow_log("${bytes} ${end} ${start}")],
        (),
        "700 1700000000 1700000060",
        700,
    ),
    "a packet of less than a byte": (
        [flow_log("${bytes} ${packets}"), flow_log("${packets} ${bytes}")],
        (),
        "700 9",
        700,
    ),
    "impossible in both formats": (
        [flow_log("${bytes} ${packets} ${start} ${end}"), flow_log("${packets} ${bytes} ${end} ${start}")],
        (),
        "700 9 1700000060 1700000000",
        "format_unfit",
    ),
    "as many bytes as packets": ([flow_log("${bytes} ${packets}"), flow_log("${packets} ${bytes}")], (), "9 9", 9),
    "bytes are missing, as for Block Public Access": (
        [flow_log("${bytes} ${packets}"), flow_log("${packets} ${bytes}")],
        (),
        "- 9",
        "format_undecided",
    ),
    "a region of any partition": (
        [flow_log("${region} ${bytes} ${action}"), flow_log("${region} ${action} ${bytes}")],
        (),
        "eusc-de-east-1 700 ACCEPT",
        700,
    ),
    "a time is no service": (
        [flow_log("${start} ${pkt-src-aws-service} ${bytes}"), flow_log("${pkt-src-aws-service} ${end} ${bytes}")],
        (),
        "1700000000 - 700",
        700,
    ),
    "no data, in the places of both formats": (
        [flow_log("${log-status} ${start} ${bytes}"), flow_log("${log-status} ${end} ${bytes}")],
        (),
        "NODATA 1700000000 -",
        0,
    ),
    "no data, whatever else the line holds": (
        [flow_log("${log-status} ${start} ${bytes}"), flow_log("${bytes} ${end} ${log-status}")],
        (),
        "x y SKIPDATA",
        0,
    ),
    "no data of a deleted flow log, whatever else the line holds": (
        [flow_log(SHORT)],
        (),
        "2 unknown eni ? ? - - - - - now then - NODATA",
        0,
    ),
    "a line that an agent has wrapped in JSON": (
        [flow_log(SHORT)],
        (),
        json.dumps({"message": SHORT_LINE + "\n", "@timestamp": "2026-01-01T00:00:00Z", "host": {"name": "x"}}),
        700,
    ),
    "a transformed event that an agent has wrapped in JSON": (
        [],
        (),
        json.dumps({"message": '{"srcAddr": "10.0.1.10", "bytes": 700}'}),
        700,
    ),
    "a wrapped line of a transit gateway": ([], (), json.dumps({"message": TRANSIT_LINE}), "unsupported"),
    "a wrapped line with a bad number": (
        [flow_log(SHORT)],
        (),
        json.dumps({"message": SHORT_LINE.replace("700", "x")}),
        "bad_number",
    ),
    "a message of another program": ([], (), '{"message": "Server started", "level": "info"}', "message_not_flow_log"),
    "a message in a message in a message": (
        [flow_log(SHORT)],
        (),
        json.dumps({"message": json.dumps({"message": SHORT_LINE})}),
        "message_not_flow_log",
    ),
    "a field of an unknown name": ([flow_log("${srcaddr} ${moon-phase} ${bytes}")], (), "10.0.0.1 waxing 9", 9),
}


@pytest.mark.parametrize("claim", CASES)
def test_the_format_of_a_line(claim: str) -> None:
    """By --flow-log-format, EC2 or default; by the number of fields, then by their values; never by guessing."""
    flow_logs, options, line, expected = CASES[claim]

    assert expected == bytes_of(reader(*flow_logs, options=options), line)


def test_the_default_of_transit_gateways_is_recognised() -> None:
    """It has 36 fields; the second tells what recorded them."""
    line = (
        "6 TransitGatewayAttachment 123456789012 tgw-1 tgw-attach-1 1 2 vpc-1 vpc-2 subnet-1 subnet-2 eni-1 eni-2 az1"
        " az2 tgw-attach-2 10.0.1.1 10.2.1.1 1 2 6 3 4 1700000000 1700000060 OK IPv4 0 0 0 0 19 eu-west-1 ingress - -"
    )

    assert len(line.split()) == 36
    assert "unsupported" == bytes_of(reader(), line)


def test_a_newer_inventory_brings_newer_formats() -> None:
    """A new flow log is read from the next refresh of the inventory on."""
    formats = Formats()
    before = Index(Inventory(1.0))
    after = Index(Inventory(2.0, flow_logs=(flow_log(SHORT),)))

    assert "field_count" == bytes_of(formats.reader(LOG_STREAM, before), SHORT_LINE)
    assert 700 == bytes_of(formats.reader(LOG_STREAM, after), SHORT_LINE)


def test_the_reader_of_a_log_stream_is_made_once() -> None:
    """Until the inventory is newer; the other log streams have other readers."""
    formats, index = Formats(), Index(Inventory(1.0))
    first = formats.reader(LOG_STREAM, index)

    assert first is formats.reader(LOG_STREAM, index)
    assert first is not formats.reader(LogStream(OWNER, "group", "eni-b-all"), index)
    assert first is not formats.reader(LOG_STREAM, Index(Inventory(1.0)))


def test_memory_for_log_streams_is_bounded() -> None:
    """A sender that invents log streams does not grow the processor without end."""
    formats, index = Formats(max_readers=10), Index(Inventory(1.0))

    for number in range(30):
        formats.reader(LogStream("1", "group", f"eni-{number}"), index)

    assert len(formats._readers) <= 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("=${bytes}", "--flow-log-format: there is no log group before `=`."),
        ("group=", "--flow-log-format is empty; give it as AWS shows it: '${version} ${interface-id} …'."),
        ("  =${bytes}", "--flow-log-format: there is no log group before `=`."),
        ("group=bytes", "--flow-log-format: 'bytes' is not of the form ${field-name}."),
        ("bytes", "--flow-log-format: 'bytes' is not of the form ${field-name}."),
        ("a=b=${bytes}", "--flow-log-format: 'b=${bytes}' is not of the form ${field-name}."),
        ("${bites}", "--flow-log-format: there is no field 'bites'; did you mean 'bytes'?"),
        ("group=${interfce-id}", "--flow-log-format: there is no field 'interfce-id'; did you mean 'interface-id'?"),
        ("${bytes}=7", "--flow-log-format: '${bytes}=7' is not of the form ${field-name}."),
    ],
)
def test_an_option_that_is_not_valid_is_an_error(text: str, sentence: str) -> None:
    """One sentence tells the user what to change."""
    with pytest.raises(ConfigError) as bad:
        parse_option(text)

    assert sentence == str(bad.value)


def test_a_log_group_and_its_format() -> None:
    """Names of log groups have slashes and dots, but neither `=` nor `$`."""
    log_group, line_format = parse_option(" /vpc/flow-logs.a#1 =${bytes} ${start}")

    assert ("/vpc/flow-logs.a#1", ("bytes", "start")) == (log_group, line_format.fields)
    assert ("", ("bytes",)) == (parse_option("${bytes}")[0], parse_option("${bytes}")[1].fields)


@given(st.text(max_size=80))
def test_any_line_is_a_record_malformed_or_unsupported(line: str) -> None:
    """No line raises anything else, whatever the candidates."""
    assert bytes_of(reader(flow_log(SHORT), flow_log(OTHER), flow_log(SWAPPED)), line) is not None


_VALUES = {
    "address": st.ip_addresses().map(str),
    "port": st.integers(0, 65535).map(str),
    "protocol": st.integers(0, 255).map(str),
    "number": st.integers(0, 10**15 - 1).map(str),
    "time": st.integers(10**9, 2 * 10**9).map(str),
    "status": st.sampled_from(["OK", "NODATA", "SKIPDATA"]),
    "action": st.sampled_from(["ACCEPT", "REJECT"]),
    "direction": st.sampled_from(["ingress", "egress"]),
    "subnet": st.just("subnet-0a1b"),
    "region": st.from_regex(r"[a-z]{2,4}(-[a-z0-9]{1,8}){1,2}-[1-9]", fullmatch=True),
    "service": st.from_regex(r"[A-Z]{2,9}(_[A-Z0-9]{1,5}){0,2}", fullmatch=True),
}


@st.composite
def real_lines(draw: st.DrawFn) -> tuple[LineFormat, list[str]]:
    """Draw a format of some fields in any order, and the words of a line; any value may be missing."""
    names = draw(st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=20, unique=True))
    words = [
        draw(st.just(NO_VALUE) | _VALUES[FIELDS[name].kind] if FIELDS[name].kind in _VALUES else st.just(NO_VALUE))
        for name in names
    ]
    if "version" in names:
        words[names.index("version")] = str(max(FIELDS[name].version for name in names))
    return LineFormat(" ".join(f"${{{name}}}" for name in names)), words


@given(real_lines())
def test_a_real_line_fits_its_format_and_is_read(made: tuple[LineFormat, list[str]]) -> None:
    """The check of how a value looks never rejects a real value."""
    line_format, words = made

    assert line_format.fits(words)
    assert isinstance(line_format.read(words), FlowRecord)


@pytest.mark.parametrize(
    ("resource_id", "expected"),
    [("tgw-0123", True), ("tgw-attach-0123", True), ("vpc-0123", False), ("eni-tgw-0", False), ("", False)],
)
def test_the_resource_of_a_flow_log_may_be_a_transit_gateway(resource_id: str, expected: bool) -> None:
    """By the prefix of its id."""
    assert expected is transit_gateway.is_resource(resource_id)


LONG_FORMAT = "${srcaddr} ${dstaddr} ${bytes} ${action} ${az-id}"


@pytest.mark.parametrize(
    ("formats", "line", "words"),
    [
        ((LONG_FORMAT,), "10.0.1.10 8.8.8.8 700 REJECT use1-az1", {"az-id": "use1-az1"}),
        # Both fit, and read the same record: the last word is a zone or a region.
        ((LONG_FORMAT, LONG_FORMAT.replace("az-id", "region")), "10.0.1.10 8.8.8.8 700 REJECT us-east-1", {}),
        # Only one fits.
        (
            (LONG_FORMAT, LONG_FORMAT.replace("az-id", "vpc-id")),
            "10.0.1.10 8.8.8.8 700 REJECT use1-az1",
            {"az-id": "use1-az1"},
        ),
        # Likewise, though both would read the same record.
        (
            (LONG_FORMAT, LONG_FORMAT.replace("az-id", "instance-id")),
            "10.0.1.10 8.8.8.8 700 REJECT use1-az1",
            {"az-id": "use1-az1"},
        ),
        ((LONG_FORMAT,), '{"message":"10.0.1.10 8.8.8.8 700 REJECT use1-az1"}', {"az-id": "use1-az1"}),
        ((LONG_FORMAT,), '{"srcAddr":"10.0.1.10","dstAddr":"8.8.8.8","bytes":700,"action":"REJECT"}', {}),
    ],
)
def test_the_words_of_a_line_that_has_a_record(formats: tuple[str, ...], line: str, words: dict[str, str]) -> None:
    """Fields that a record does not have, as far as it is certain what they are."""
    lines = Formats(formats)
    record = lines.reader(LOG_STREAM, Index(Inventory())).read(line)
    known = {"srcaddr": "10.0.1.10", "dstaddr": "8.8.8.8", "bytes": "700", "action": "REJECT"}

    assert {**known, **words} == lines.words_by_field(line, LOG_STREAM, record)


def test_a_format_that_has_changed_gives_no_words() -> None:
    """The record stays what it was read as."""
    record = Formats((LONG_FORMAT,)).reader(LOG_STREAM, Index(Inventory())).read("1.1.1.1 2.2.2.2 3 REJECT use1-az1")

    assert {} == Formats().words_by_field("1.1.1.1 2.2.2.2 3 REJECT use1-az1", LOG_STREAM, record)
