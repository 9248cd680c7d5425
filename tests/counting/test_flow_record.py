"""Lines of flow logs: the examples of the AWS guide, custom formats, and each reason to be malformed."""

from __future__ import annotations

import pytest

from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.flow_record import USED_FIELDS, FlowRecord, record_from_fields
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.errors import Malformed

ACCEPTED = (
    "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
)
RECOMMENDED = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets}"
    " ${bytes} ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${flow-direction}"
)

# The claim, the line in the default format, and some fields of its record.
GOLDEN: dict[str, tuple[str, dict[str, object]]] = {
    "an accepted flow": (
        ACCEPTED,
        {
            "log_status": "OK",
            "srcaddr": "172.31.16.139",
            "protocol": "tcp",
            "packets": 20,
            "bytes": 4249,
            "action": "accept",
        },
    ),
    "a rejected flow": (
        "2 123456789010 eni-1 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK",
        {"action": "reject", "dstport": "3389", "start": 1418530010, "end": 1418530070},
    ),
    "no data": (
        "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA",
        {"log_status": "NODATA", "packets": 0},
    ),
    "skipped data": (
        "2 123456789010 eni-11111111aaaaaaaaa - - - - - - - 1431280876 1431280934 - SKIPDATA",
        {"log_status": "SKIPDATA"},
    ),
    "IPv6": (
        "2 123456789010 eni-1 2001:db8:1234:a100:8d6e:3477:df66:f105 2001:db8:1234:a102:3304:8879:34cf:4071"
        " 34892 22 6 54 8855 1477913708 1477913820 ACCEPT OK",
        {"srcaddr": "2001:db8:1234:a100:8d6e:3477:df66:f105"},
    ),
    "ICMP": (
        "2 123456789010 eni-1 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK",
        {"protocol": "icmp"},
    ),
    "two spaces, as in an example of the guide": (
        "2 123456789010 eni-1 172.31.16.139  172.31.16.21 1 2 17 20 4249 1418530010 1418530070 ACCEPT OK",
        {"dstaddr": "172.31.16.21", "protocol": "udp"},
    ),
    "bytes missing, as for Block Public Access": (
        "2 123456789010 eni-1 203.0.113.12 172.31.16.139 1 2 6 4 - 1432917027 1432917142 REJECT OK",
        {"packets": 4, "bytes": 0},
    ),
    "an account that is unknown": (
        "2 unknown eni-1 203.0.113.12 172.31.16.139 1 2 6 4 40 1432917027 1432917142 ACCEPT OK",
        {"action": "accept"},
    ),
    "times in milliseconds": (
        "2 123456789010 eni-1 203.0.113.12 172.31.16.139 1 2 6 4 40 1432917027000 1432917142999 ACCEPT OK",
        {"start": 1432917027, "end": 1432917142},
    ),
    "a protocol without a name": (
        "2 123456789010 eni-1 203.0.113.12 172.31.16.139 1 2 132 4 40 1432917027 1432917142 ACCEPT OK",
        {"protocol": "other"},
    ),
}

BAD = {
    "": "field_count",
    "2 123456789010 eni-1": "field_count",
    ACCEPTED + " more": "field_count",
    ACCEPTED.replace(" OK", " FINE"): "bad_status",
    ACCEPTED.replace("ACCEPT", "accept"): "bad_action",
    ACCEPTED.replace(" 6 20 ", " tcp 20 "): "bad_protocol",
    ACCEPTED.replace(" 6 20 ", " 256 20 "): "bad_protocol",
    ACCEPTED.replace(" 20 4249", " 20.5 4249"): "bad_number",
    ACCEPTED.replace(" 20 4249", " -20 4249"): "bad_number",
    ACCEPTED.replace(" 20 4249", " 2_0 4249"): "bad_number",
    ACCEPTED.replace(" 20 4249", " ²0 4249"): "bad_number",
    ACCEPTED.replace(" 20 4249", " ٢٠ 4249"): "bad_number",
    ACCEPTED.replace(" 20 4249", " 20 9999999999999999"): "bad_number",
    ACCEPTED.replace("1418530070", "now"): "bad_number",
    ACCEPTED.replace("1418530070", "253402300800000"): "bad_number",
}


@pytest.mark.parametrize("claim", GOLDEN)
def test_line_of_the_default_format(claim: str) -> None:
    """Each example has the fields that the guide says."""
    text, expected = GOLDEN[claim]

    record = LineFormat().parse(text)

    assert expected == {name: getattr(record, name) for name in expected}


@pytest.mark.parametrize("text", BAD, ids=lambda text: BAD[text] + ": " + text[-40:])
def test_bad_line_has_a_reason(text: str) -> None:
    """A line that does not fit is malformed, with its reason."""
    with pytest.raises(Malformed) as bad:
        LineFormat().parse(text)

    assert BAD[text] == bad.value.reason


SILENT = {
    "no data with bad ids": "2 unknown eni - - - - - - - 1431280876 1431280934 - NODATA",
    "no data with bad words": "x x x x x x x x x x x x x NODATA",
    "skipped data with a flow": ACCEPTED.replace(" OK", " SKIPDATA").replace(" 6 20 ", " tcp -20 "),
}


@pytest.mark.parametrize("claim", SILENT)
def test_the_status_decides_first(claim: str) -> None:
    """A line without a flow record is never malformed; its other fields are not read."""
    assert SILENT[claim].split()[-1] == LineFormat().parse(SILENT[claim]).log_status


# A value for every field that a record uses, each different; and the record's value, if it is another.
DISTINCT = {
    "log_status": ("OK", "OK"),
    "interface_id": ("eni-00000000", "eni-00000000"),
    "subnet_id": ("subnet-0", "subnet-0"),
    "vpc_id": ("vpc-0", "vpc-0"),
    "srcaddr": ("10.0.0.1", "10.0.0.1"),
    "dstaddr": ("10.0.0.2", "10.0.0.2"),
    "srcport": ("1001", "1001"),
    "dstport": ("1002", "1002"),
    "protocol": ("17", "udp"),
    "packets": ("2001", 2001),
    "bytes": ("2002", 2002),
    "start": ("1700000001", 1700000001),
    "end": ("1700000002", 1700000002),
    "action": ("REJECT", "reject"),
    "flow_direction": ("ingress", "ingress"),
    "reject_reason": ("BPA", "BPA"),
    "pkt_srcaddr": ("10.0.0.3", "10.0.0.3"),
    "pkt_dstaddr": ("10.0.0.4", "10.0.0.4"),
    "pkt_src_aws_service": ("DYNAMODB", "DYNAMODB"),
    "pkt_dst_aws_service": ("S3", "S3"),
    "traffic_path": ("8", "8"),
}


@pytest.mark.parametrize("rotation", range(0, len(FIELDS), 7))
def test_no_two_fields_are_swapped(rotation: int) -> None:
    """In a line of all fields, each different and in any order, a record has each value under its name."""
    names = [*FIELDS][rotation:] + [*FIELDS][:rotation]
    words = [DISTINCT.get(name.replace("-", "_"), ("unused",))[0] for name in names]

    record = LineFormat(" ".join(f"${{{name}}}" for name in names)).parse(" ".join(words))

    assert {name: value for name, (_, value) in DISTINCT.items()} == record._asdict()
    assert len(DISTINCT) == len(set(record))


def test_named_fields_are_not_swapped_either() -> None:
    """A transformed event has no order, only names."""
    fields = {name.replace("_", "-"): word for name, (word, _) in DISTINCT.items()}

    assert {name: value for name, (_, value) in DISTINCT.items()} == record_from_fields(fields)._asdict()


def test_all_used_fields_are_fields_of_aws() -> None:
    """The names of a record's fields are those of AWS, with underscores."""
    assert set() == set(USED_FIELDS) - FIELDS.keys()
    assert set(DISTINCT) == set(FlowRecord._fields)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-", 0),
        ("99999999999", 99999999999),
        ("100000000000", 100000000),
        ("1432917027999", 1432917027),
        ("253402300799999", 253402300799),
    ],
)
def test_large_times_are_milliseconds(text: str, expected: int) -> None:
    """From a hundred billion on; up to the end of the year 9999."""
    assert expected == LineFormat("${start}").parse(text).start


@pytest.mark.parametrize("text", ["253402300800000", "999999999999999"])
def test_a_time_after_the_year_9999_is_malformed(text: str) -> None:
    """It could not be written as a date."""
    with pytest.raises(Malformed, match="bad_number"):
        LineFormat("${start}").parse(text)


def test_a_number_has_at_most_15_digits() -> None:
    """A petabyte in one interval can't be true."""
    assert 10**15 - 1 == LineFormat("${bytes}").parse("9" * 15).bytes
    with pytest.raises(Malformed, match="bad_number"):
        LineFormat("${bytes}").parse("1" + "0" * 15)


def test_an_unknown_direction_is_malformed() -> None:
    """flow-direction is ingress, egress or missing."""
    with pytest.raises(Malformed, match="bad_direction"):
        LineFormat(RECOMMENDED).parse(ACCEPTED + " vpc-1 subnet-1 sideways")
