"""The traffic metrics: sums by label, new series, and the subnets that are summed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.delta import RejectedPort, Traffic
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.state import InstanceState
from tests.support.exporter import OLD, STATE, value

LABELS = {"subnet_id": "subnet-a", "direction": "ingress", "action": "reject"}
TRAFFIC_LABELS = {**LABELS, "protocol": "udp", "peer": "internet"}
PORT_LABELS = {"subnet_id": "subnet-a", "direction": "ingress", "protocol": "udp", "port": "22"}


def state_of(*series: TrafficTotal, ports: tuple[RejectedPortTotal, ...] = ()) -> InstanceState:
    return replace(STATE, totals=Totals(list(series), list(ports), {}, {}))


@pytest.mark.parametrize(("shown", "expected"), [(6, (0, 0, 0, 0)), (7, (5, 50, 5000, 4))])
def test_a_new_series_shows_0(shown: int, expected: tuple[float, ...]) -> None:
    """`increase()` ignores the value that a series first appears with, so it first appears with 0."""
    series = Traffic("subnet-a", "ingress", "reject", "udp", "internet")
    port = RejectedPort("subnet-a", "ingress", "udp", "22")
    state = state_of(TrafficTotal(series, 5, 50, 5000, 7), ports=(RejectedPortTotal(port, 4, 7),))

    samples = [
        ("flowlog_flows_total", TRAFFIC_LABELS),
        ("flowlog_packets_total", TRAFFIC_LABELS),
        ("flowlog_bytes_total", TRAFFIC_LABELS),
        ("flowlog_rejected_port_flows_total", PORT_LABELS),
    ]
    values = [value(state, name, labels, new_series=NewSeries(60.0, shown)) for name, labels in samples]

    assert list(expected) == values


def test_without_a_hold_a_new_series_shows_its_value() -> None:
    """That is the default, for a replay."""
    state = state_of(TrafficTotal(Traffic("subnet-a", "ingress", "reject", "udp", "internet"), 5, 50, 5000, 7))

    assert 5 == value(state, "flowlog_flows_total", TRAFFIC_LABELS)


@pytest.mark.parametrize(
    ("traffic_labels", "labels", "flows"),
    [
        (("protocol", "peer"), {"protocol": "tcp", "peer": "internet"}, 10),
        (("protocol",), {"protocol": "tcp"}, 14),
        (("peer",), {"peer": "internet"}, 11),
        ((), {}, 15),
        (("path",), {"path": "vpc_endpoint"}, 10),
        (("path",), {"path": "unknown"}, 5),
        (("interface_type",), {"interface_type": "lambda"}, 14),
        (("protocol", "path", "interface_type"), {"protocol": "tcp", "path": "unknown", "interface_type": "lambda"}, 4),
    ],
)
def test_series_are_summed_by_the_labels_shown(
    traffic_labels: tuple[str, ...], labels: dict[str, str], flows: int
) -> None:
    """A label that `--traffic-labels` leaves out loses no flow."""
    labelled = [
        (("tcp", "internet", "vpc_endpoint", "lambda"), 10),
        (("tcp", "private", "unknown", "lambda"), 4),
        (("udp", "internet", "unknown", "unknown"), 1),
    ]
    state = state_of(
        *(TrafficTotal(Traffic("subnet-a", "ingress", "accept", *four), n, 0, 0, OLD) for four, n in labelled)
    )
    all_labels = {"subnet_id": "subnet-a", "direction": "ingress", "action": "accept", **labels}

    assert flows == value(state, "flowlog_flows_total", all_labels, traffic_labels=traffic_labels)


def test_the_page_tells_how_many_subnets_are_other() -> None:
    """The ledger decides which; here `other` is a subnet like any."""
    series = TrafficTotal(Traffic("other", "ingress", "reject", "udp", "internet"), 12, 1, 1, OLD)
    state = replace(STATE, totals=Totals([series], [], {}, {}, folded_subnets=2))

    assert 2 == value(state, "flowlog_folded_subnets", {})
    assert 12 == value(state, "flowlog_flows_total", {**TRAFFIC_LABELS, "subnet_id": "other"})
