"""A format, compiled, and how it reads a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT, LineFormat
from kcl_flowlog.errors import ConfigError, Malformed


def test_fields_in_any_order() -> None:
    """The format alone says which field is where; a field that it lacks counts as `-`."""
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
    """A format without log-status shows an idle interval only by two dashes."""
    without = LineFormat("${interface-id} ${srcaddr} ${dstaddr} ${packets}")

    words = ("- -", "10.0.0.1 -", "- 10.0.0.1", "10.0.0.1 10.0.0.1")
    assert ["NODATA", "OK", "OK", "OK"] == [without.parse(f"eni-1 {ends} 1").log_status for ends in words]


@pytest.mark.parametrize("addresses", ["${srcaddr}", "${dstaddr}", "${bytes}"])
def test_without_both_addresses_a_missing_address_is_not_idle(addresses: str) -> None:
    """The format lacks an address, so the dash was not written by AWS."""
    assert "OK" == LineFormat("${interface-id} " + addresses).parse("eni-1 -").log_status


@pytest.mark.parametrize("version", range(2, 12))
def test_a_line_of_all_fields_up_to_a_version_is_read(version: int) -> None:
    """Any other field may be missing."""
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
def test_a_format_that_is_not_valid_is_an_error(text: str, sentence: str) -> None:
    """One sentence tells the user what to change in --flow-log-format."""
    with pytest.raises(ConfigError) as bad:
        LineFormat(text)

    assert sentence == str(bad.value)


def test_a_field_of_an_unknown_name_takes_its_place() -> None:
    """AWS may add fields; the known fields around it are read."""
    future = LineFormat("${srcaddr} ${moon-phase} ${dstaddr} ${bytes}")

    record = future.parse("10.0.0.1 waxing 10.0.0.2 5")

    assert ("10.0.0.1", "10.0.0.2", 5) == (record.srcaddr, record.dstaddr, record.bytes)
    assert ["moon-phase"] == future.unknown_fields


@pytest.mark.parametrize(
    ("words", "expected"),
    [("5 ACCEPT", True), ("- -", True), ("x ACCEPT", False), ("5 accept", False), ("5", False), ("5 ACCEPT 6", False)],
)
def test_a_line_fits_if_each_word_looks_like_its_field(words: str, expected: bool) -> None:
    """As many words as fields; a missing value always fits."""
    assert expected is LineFormat("${bytes} ${action}").fits(words.split())


@given(st.text())
def test_any_text_is_a_record_or_malformed(text: str) -> None:
    """No line raises anything else."""
    try:
        record = LineFormat().parse(text)
    except Malformed:
        return
    assert isinstance(record, FlowRecord)


_WORD = st.sampled_from(["-", "0", "6", "ACCEPT", "OK", "NODATA", "10.0.0.1", "::1", "999999999999999", "x", "²"])


@given(st.lists(_WORD, min_size=14, max_size=14))
def test_any_fourteen_words_are_a_record_or_malformed(words: list[str]) -> None:
    """Nor does a line of the right length; numbers are not negative and have at most 15 digits."""
    try:
        record = LineFormat(DEFAULT_FORMAT).parse(" ".join(words))
    except Malformed:
        return
    assert 0 <= record.packets < 10**15
    assert 0 <= record.bytes < 10**15
