"""Lines of flow logs: the examples of the AWS guide, custom formats, and each way to be bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.counting.fields import FIELDS, nearest_field
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.errors import ConfigError, Malformed

ACCEPTED = (
    "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
)
RECOMMENDED = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets}"
    " ${bytes} ${start} ${end} ${action} ${log-status} ${vpc-id} ${subnet-id} ${flow-direction}"
)

# The line's claim, the line in the default format, and some fields that it has to yield.
GOLDEN = {
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
        {"log_status": "NODATA", "interface_id": "eni-1235b8ca123456789", "packets": 0},
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
    "two spaces, as one of the guide's own examples has": (
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
    "a protocol without a name of its own": (
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
    """Each example yields the fields that the guide says."""
    text, expected = GOLDEN[claim]

    record = LineFormat().parse(text)

    assert expected == {name: getattr(record, name) for name in expected}


@pytest.mark.parametrize("text", BAD, ids=lambda text: BAD[text] + ": " + text[-40:])
def test_bad_line_has_a_reason(text: str) -> None:
    """A line that does not fit is malformed for its reason, and yields nothing."""
    with pytest.raises(Malformed) as bad:
        LineFormat().parse(text)

    assert BAD[text] == bad.value.reason


def test_a_custom_format_gives_subnet_and_direction() -> None:
    """A format with subnet-id and flow-direction leaves nothing to look up."""
    record = LineFormat(RECOMMENDED).parse(ACCEPTED + " vpc-1 subnet-1 ingress")

    assert ("vpc-1", "subnet-1", "ingress") == (record.vpc_id, record.subnet_id, record.flow_direction)


def test_a_direction_that_is_none_is_told() -> None:
    """flow-direction is ingress, egress or missing."""
    with pytest.raises(Malformed, match="bad_direction"):
        LineFormat(RECOMMENDED).parse(ACCEPTED + " vpc-1 subnet-1 sideways")


def test_fields_in_any_order() -> None:
    """The format alone says which field is where; one that it lacks is as good as `-`."""
    record = LineFormat("${bytes} ${action} ${dstaddr} ${srcaddr}").parse("7 REJECT 10.0.0.2 10.0.0.1")

    assert ("OK", 7, 0, "reject", "10.0.0.1", "-") == (
        record.log_status,
        record.bytes,
        record.packets,
        record.action,
        record.srcaddr,
        record.interface_id,
    )


def test_without_a_status_no_addresses_mean_no_data() -> None:
    """A format without log-status shows an idle interval only by its dashes."""
    without = LineFormat("${interface-id} ${srcaddr} ${dstaddr} ${packets}")

    assert without.parse("eni-1 - - -").log_status == "NODATA"
    assert without.parse("eni-1 10.0.0.1 - 1").log_status == "OK"


@pytest.mark.parametrize("version", range(2, 12))
def test_every_field_up_to_a_version_is_understood(version: int) -> None:
    """A format with all fields of AWS up to a version reads a line of them."""
    names = [name for name, field in FIELDS.items() if field.version <= version]
    values = dict.fromkeys(names, "-") | {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "bytes": "5", "packets": "1"}

    record = LineFormat(" ".join(f"${{{name}}}" for name in names)).parse(" ".join(values.values()))

    assert (5, "10.0.0.2") == (record.bytes, record.dstaddr)


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "": "--flow-log-format is empty; give it as AWS shows it: '${version} ${interface-id} …'.",
        "version": "--flow-log-format: 'version' is not of the form ${field-name}.",
        "${bytes} ${bytes}": "--flow-log-format names 'bytes' twice.",
    }.items(),
)
def test_a_bad_format_is_told_in_a_sentence(text: str, sentence: str) -> None:
    """A mistake in --flow-log-format is the user's to mend."""
    with pytest.raises(ConfigError) as bad:
        LineFormat(text)

    assert sentence == str(bad.value)


def test_a_field_of_the_future_is_carried() -> None:
    """A version to come takes its place in the line; the fields around it are read."""
    future = LineFormat("${srcaddr} ${moon-phase} ${dstaddr} ${bytes}")

    record = future.parse("10.0.0.1 waxing 10.0.0.2 5")

    assert ("10.0.0.1", "10.0.0.2", 5) == (record.srcaddr, record.dstaddr, record.bytes)
    assert ["moon-phase"] == future.unknown_fields
    assert "srcaddr" == nearest_field("scraddr")


@given(st.text())
def test_any_text_is_a_record_or_malformed(text: str) -> None:
    """No line, however hostile, raises anything else."""
    try:
        record = LineFormat().parse(text)
    except Malformed:
        return
    assert isinstance(record, FlowRecord)


_WORD = st.sampled_from(["-", "0", "6", "ACCEPT", "OK", "NODATA", "10.0.0.1", "::1", "999999999999999", "x", "²"])


@given(st.lists(_WORD, min_size=14, max_size=14))
def test_any_fourteen_words_are_a_record_or_malformed(words: list[str]) -> None:
    """Nor does a line of the right length; numbers are never negative and never beyond 15 digits."""
    try:
        record = LineFormat(DEFAULT_FORMAT).parse(" ".join(words))
    except Malformed:
        return
    assert 0 <= record.packets < 10**15
    assert 0 <= record.bytes < 10**15
