"""Flow log events that a transformer of CloudWatch Logs has turned into JSON."""

from __future__ import annotations

import json

import pytest

from kcl_flowlog.counting import parsevpc
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.line_format import LineFormat
from kcl_flowlog.errors import Malformed, Unsupported

OWNER = "123456789010"

SHORT = "${srcaddr} ${dstaddr} ${bytes} ${action}"

SHORT_LINE = "10.0.1.10 8.8.8.8 700 REJECT"

DEFAULT_LINE = f"2 {OWNER} eni-a 10.0.1.10 8.8.8.8 4000 443 6 10 1000 1700000000 1700000060 ACCEPT OK"


def parse(message: str) -> FlowRecord:
    """Return the record of a message that is JSON."""
    record = parsevpc.read(message)
    assert isinstance(record, FlowRecord)
    return record


def as_json(line: str, names: list[str]) -> str:
    """Return a line as parseVPC writes it: other names, and numbers as numbers."""
    spelt = {"srcaddr": "srcAddr", "dstaddr": "dstAddr", "srcport": "srcPort", "dstport": "dstPort"}
    fields = {}
    for name, word in zip(names, line.split(), strict=True):
        head, *tail = spelt.get(name, name).split("-")
        fields[head + "".join(part.capitalize() for part in tail)] = int(word) if word.isdigit() else word
    return json.dumps(fields)


def test_a_transformed_event_has_the_record_of_its_line() -> None:
    """CloudWatch's parseVPC turns a line into JSON without loss."""
    assert LineFormat().parse(DEFAULT_LINE) == parse(as_json(DEFAULT_LINE, list(LineFormat().fields)))


def test_a_transformed_event_of_later_fields() -> None:
    """Fields of every version are recognised by their names without hyphens."""
    text = SHORT + " ${flow-direction} ${subnet-id} ${pkt-srcaddr} ${pkt-dstaddr}"
    line = SHORT_LINE + " egress subnet-a 10.0.1.10 9.9.9.9"

    assert LineFormat(text).parse(line) == parse(as_json(line, list(LineFormat(text).fields)))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "message_not_json"),
        ("{}", "message_not_flow_log"),
        ('{"eventVersion": "1.08", "eventName": "RunInstances"}', "message_not_flow_log"),
        ('{"class_uid": 4001, "src_endpoint": {"ip": "10.0.0.1"}}', "message_not_flow_log"),
        ('{"version":"1.100000","vpc_id":"vpc-1","srcaddr":"10.0.1.10","srcport":"40000"}', "message_not_flow_log"),
        ('{"version":"1.1","srcaddr":"10.0.1.10","dstaddr":"10.0.1.2"}', "message_not_flow_log"),
        ('{"version":{},"srcaddr":"10.0.1.10","dstaddr":"10.0.1.2"}', "message_not_flow_log"),
        ('{"type":"NETFLOW_V9","src_addr":"10.0.1.10","dst_addr":"10.0.1.2","bytes":1}', "message_not_flow_log"),
        ('{"resourceType": "AWS::EC2::Instance", "version": "1.3", "accountId": "1"}', "message_not_flow_log"),
        ('{"interfaceId": "eni-a", "event": "attached"}', "message_not_flow_log"),
        ('{"logStatus": "OK", "level": "info"}', "message_not_flow_log"),
        ('{"srcAddr": "10.0.0.1"}', "message_not_flow_log"),
        ('{"message": 5}', "message_not_flow_log"),
        ('{"srcAddr": "10.0.0.1", "bytes": 1.5}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": true}', "bad_number"),
        ('{"srcAddr": ["10.0.0.1"], "bytes": 1}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": 1, "srcPort": 1000000000000000000}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": 1, "srcPort": -1000000000000000000}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": 1e18}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": -5.0}', "bad_number"),
        ('{"srcAddr": "10.0.0.1", "bytes": ' + "9" * 5000 + "}", "message_not_json"),
        ('{"srcAddr": "10.0.0.1", "action": "ALLOW"}', "bad_action"),
        ("{" * 100_000, "message_not_json"),
    ],
)
def test_json_that_is_not_a_record(message: str, reason: str) -> None:
    """The reason tells whether it is not JSON, not a flow log, or has a bad field."""
    assert parsevpc.is_json(message)
    with pytest.raises(Malformed) as bad:
        parsevpc.read(message)

    assert reason == bad.value.reason


def test_a_line_is_not_json() -> None:
    """It starts with the value of a field."""
    assert not parsevpc.is_json(DEFAULT_LINE)


@pytest.mark.parametrize(("number", "expected"), [("5.0", 5), ("5e0", 5), ("5", 5), ('"5"', 5), ("0.0", 0)])
def test_a_number_may_have_a_fraction_of_zero(number: str, expected: int) -> None:
    """Some senders know no whole numbers."""
    assert expected == parse(f'{{"srcAddr": "10.0.0.1", "version": 2.0, "bytes": {number}}}').bytes


@pytest.mark.parametrize(
    "message",
    ['{"logStatus": "NODATA"}', '{"log_status": "NODATA", "bytes": true, "action": "x", "srcAddr": []}'],
)
def test_the_status_of_an_event_decides_first(message: str) -> None:
    """Whatever the other fields hold."""
    assert "NODATA" == parse(message).log_status


@pytest.mark.parametrize("key", ["tgwId", "tgw_src_eni", "packetsLostBlackhole"])
def test_an_event_of_a_transit_gateway_is_not_supported(key: str) -> None:
    """It has fields that no other flow log has."""
    with pytest.raises(Unsupported):
        parsevpc.read(json.dumps({"srcAddr": "10.0.0.1", "dstAddr": "10.0.0.2", key: "x"}))


def test_a_wrapped_line_is_returned() -> None:
    """Agents write a line as the message of JSON, beside other fields."""
    assert "a line" == parsevpc.read('{"message": "a line", "host": {"name": "x"}, "version": "1"}')


def test_null_counts_as_a_missing_field() -> None:
    """A field without a value is null, missing or `-`."""
    record = parse('{"srcAddr": null, "dstAddr": "-", "bytes": null, "logStatus": null}')

    assert ("NODATA", 0) == (record.log_status, record.bytes)


@pytest.mark.parametrize("spelling", ["srcAddr", "srcaddr", "SRC_ADDR", "src-addr"])
def test_the_spelling_of_a_name_does_not_matter(spelling: str) -> None:
    """Capitals, underscores and hyphens differ between transformers."""
    assert "10.0.0.1" == parse(json.dumps({spelling: "10.0.0.1", "bytes": 1})).srcaddr


def test_an_event_with_a_single_address_is_not_idle() -> None:
    """Only an event that has both addresses, without values, is."""
    assert "OK" == parse('{"srcAddr": null, "bytes": 1}').log_status
    assert "OK" == parse('{"dstAddr": null, "bytes": 1}').log_status


def test_the_largest_number() -> None:
    """Any number below 10^18 is written out as text."""
    record = parse('{"srcAddr": "10.0.0.1", "bytes": 1, "srcPort": 999999999999999999, "dstPort": -999999999999999999}')

    assert ("9" * 18, "-" + "9" * 18) == (record.srcport, record.dstport)
