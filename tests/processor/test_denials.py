"""A denial as a line of JSON, whose keys and order are a contract."""

from __future__ import annotations

import json

import pytest

from kcl_flowlog.counting.attribution import Place
from kcl_flowlog.counting.flow_record import FlowRecord
from kcl_flowlog.counting.line_by_line import Denial
from kcl_flowlog.processor.denials import denial_line

RECORD = FlowRecord(
    log_status="OK",
    interface_id="eni-a",
    subnet_id="-",
    vpc_id="-",
    srcaddr="198.51.100.7",
    dstaddr="10.0.1.10",
    srcport="40000",
    dstport="22",
    protocol="tcp",
    packets=3,
    bytes=180,
    start=1_700_000_000,
    end=1_700_000_060,
    action="reject",
    flow_direction="ingress",
    reject_reason="BPA",
    pkt_srcaddr="-",
    pkt_dstaddr="-",
    pkt_src_aws_service="-",
    pkt_dst_aws_service="-",
    traffic_path="-",
)
PLACE = Place("subnet-a", "ingress", "internet")
NOW = 1_700_000_100.25


def test_a_denial_has_these_keys_in_this_order() -> None:
    """Log pipelines parse it; people read it."""
    assert (
        '{"time":"2023-11-14T22:15:00.250Z","event":"reject","subnet_id":"subnet-a","interface_id":"eni-a",'
        '"direction":"ingress","peer":"internet","protocol":"tcp","srcaddr":"198.51.100.7","srcport":40000,'
        '"dstaddr":"10.0.1.10","dstport":22,"packets":3,"bytes":180,"start":"2023-11-14T22:13:20.000Z",'
        '"end":"2023-11-14T22:14:20.000Z","reject_reason":"BPA"}'
    ) == bytes(denial_line(Denial(RECORD, PLACE), NOW)).decode()


def test_values_that_a_record_lacks_are_left_out() -> None:
    """An unattributed record of a format with hardly any field."""
    record = RECORD._replace(
        interface_id="-", srcaddr="-", dstaddr="-", srcport="-", dstport="-", start=0, end=0, reject_reason="-"
    )

    assert {
        "time": "2023-11-14T22:15:00.250Z",
        "event": "reject",
        "protocol": "tcp",
        "packets": 3,
        "bytes": 180,
    } == json.loads(bytes(denial_line(Denial(record, None), NOW)))


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("0", 0),
        ("65535", 65535),
        ("99999", 99999),
        ("100000", None),
        ("-", None),
        ("²", None),
        ("٣", None),
        ("ssh", None),
        ("", None),
    ],
)
def test_a_port_is_a_number_of_up_to_five_digits(text: str, port: int | None) -> None:
    """Anything else is left out."""
    denial = json.loads(bytes(denial_line(Denial(RECORD._replace(srcport=text, dstport=text), PLACE), NOW)))

    assert (port, port) == (denial.get("srcport"), denial.get("dstport"))
