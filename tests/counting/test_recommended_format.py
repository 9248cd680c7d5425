"""The recommended format holds all that is used, and a missing field costs what the table says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.envelope import LogEvent
from kcl_flowlog.counting.fields import FIELDS
from kcl_flowlog.counting.flow_record import USED_FIELDS
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.log_stream import NO_LOG_STREAM
from kcl_flowlog.counting.recommended_format import COSTS, RECOMMENDED_FORMAT
from kcl_flowlog.counting.subnets import Inventory
from tests.support.builders import INVENTORY, NOW, ORIGIN, counter_for, labelled

VALUES = {
    "version": "8",
    "account-id": "123456789010",
    "interface-id": "eni-7",
    "srcaddr": "10.0.1.12",
    "dstaddr": "10.0.1.13",
    "srcport": "40000",
    "dstport": "22",
    "protocol": "6",
    "packets": "3",
    "bytes": "300",
    "start": "1700000000",
    "end": "1700000060",
    "action": "REJECT",
    "log-status": "OK",
    "vpc-id": "vpc-1",
    "subnet-id": "subnet-b",
    "az-id": "euw1-az1",
    "flow-direction": "egress",
    "traffic-path": "8",
    "pkt-srcaddr": "10.0.1.12",
    "pkt-dstaddr": "198.51.100.9",
    "pkt-src-aws-service": "-",
    "pkt-dst-aws-service": "-",
    "reject-reason": "BPA",
}


def counted(without: str = "", inventory: Inventory = INVENTORY, values: Mapping[str, str] = VALUES) -> Delta:
    """Count a line of these values in the recommended format, without a field."""
    line = " ".join(value for name, value in values.items() if name != without)
    counter = counter_for(inventory, RECOMMENDED_FORMAT.replace(f"${{{without}}}", ""))
    delta = Delta()
    counter.count_events(NO_LOG_STREAM, [LogEvent(line)], ORIGIN, NOW, delta)
    counter.finish(NOW, delta)
    return delta


def test_the_format_holds_all_that_is_used() -> None:
    """And the default format, so that it is no loss for any other reader of the logs."""
    default = [word.strip("${}") for word in DEFAULT_FORMAT.split()]

    assert set() == set(USED_FIELDS) - COSTS.keys()
    assert default == list(COSTS)[: len(default)]
    assert set() == COSTS.keys() - FIELDS.keys()
    assert list(COSTS) == list(VALUES)


def test_the_format_leaves_nothing_to_look_up() -> None:
    """Of an interface that nobody knows, one record is enough."""
    delta = counted(inventory=Inventory())

    assert {"counted": 1} == labelled(delta, counts.EVENTS)
    assert [("subnet-b", "egress", "reject", "tcp", "internet")] == [series[:5] for series in delta.traffic]
    assert [[1, 3, 300]] == list(delta.traffic.values())


# A field, and what a record without it counts as: subnet, direction, action, protocol, peer.
LABELS = {
    "flow-direction": ("subnet-b", "unknown", "reject", "tcp", "unknown"),
    "action": ("subnet-b", "egress", "unknown", "tcp", "internet"),
    "protocol": ("subnet-b", "egress", "reject", "other", "internet"),
    "pkt-dstaddr": ("subnet-b", "egress", "reject", "tcp", "same_zone"),
    "account-id": ("subnet-b", "egress", "reject", "tcp", "internet"),
    "az-id": ("subnet-b", "egress", "reject", "tcp", "internet"),
    "interface-id": ("subnet-b", "egress", "reject", "tcp", "internet"),
}


@pytest.mark.parametrize("field", LABELS)
def test_a_missing_field_costs_a_label(field: str) -> None:
    """As the table says."""
    assert [LABELS[field]] == [series[:5] for series in counted(field).traffic]


@pytest.mark.parametrize(("field", "numbers"), [("packets", [1, 0, 300]), ("bytes", [1, 3, 0])])
def test_a_missing_number_stays_0(field: str, numbers: list[int]) -> None:
    """The flow counts all the same."""
    assert [numbers] == list(counted(field).traffic.values())


def test_without_a_subnet_a_record_may_be_unattributed() -> None:
    """Nothing tells whose interface it is."""
    assert {"unattributed": 1} == labelled(counted("subnet-id", Inventory()), counts.EVENTS)


def test_without_a_log_status_skipped_records_look_idle() -> None:
    """AWS writes a dash for everything else."""
    skipped = {**dict.fromkeys(VALUES, "-"), "version": "8", "log-status": "SKIPDATA"}

    assert {"skipdata": 1} == labelled(counted(values=skipped), counts.EVENTS)
    assert {"nodata": 1} == labelled(counted("log-status", values=skipped), counts.EVENTS)


def test_without_an_end_there_is_no_delay() -> None:
    """The record counts all the same."""
    assert ([counts.EVENT_DELAY], []) == (list(counted().histograms), list(counted("end").histograms))


def test_without_a_port_all_rejected_flows_are_other() -> None:
    """Only watched ports have numbers anyway."""
    assert ["other"] == [rejected.port for rejected in counted("dstport").rejected_ports]
