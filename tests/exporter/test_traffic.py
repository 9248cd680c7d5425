"""The traffic metrics: sums by label, new series, and the limit of subnets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.delta import RejectedPort, Traffic
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.state import InstanceState
from tests.support.exporter import OLD, STATE, traffic, value

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
    ],
)
def test_series_are_summed_by_the_labels_shown(
    traffic_labels: tuple[str, ...], labels: dict[str, str], flows: int
) -> None:
    """A label that `--traffic-labels` leaves out loses no flow."""
    state = state_of(
        traffic("subnet-a", "ingress", "accept", "tcp", "internet", 10, 200, 30_000),
        traffic("subnet-a", "ingress", "accept", "tcp", "private", 4, 0, 0),
        traffic("subnet-a", "ingress", "accept", "udp", "internet", 1, 0, 0),
    )
    all_labels = {"subnet_id": "subnet-a", "direction": "ingress", "action": "accept", **labels}

    assert flows == value(state, "flowlog_flows_total", all_labels, traffic_labels=traffic_labels)


def birth(subnet_id: str, number: int, flows: int) -> TrafficTotal:
    return TrafficTotal(Traffic(subnet_id, "ingress", "reject", "udp", "internet"), flows, flows, flows, number)


def test_subnets_beyond_the_limit_are_summed_as_other() -> None:
    """The subnets seen first keep their names, whatever their order; the rest is one series."""
    ports = tuple(
        RejectedPortTotal(RejectedPort(name, "ingress", "udp", "22"), flows, OLD)
        for name, flows in (("subnet-a", 100), ("subnet-c", 200), ("subnet-d", 400))
    )
    state = state_of(
        birth("subnet-d", 4, 8), birth("subnet-a", 1, 1), birth("subnet-c", 3, 4), birth("subnet-b", 2, 2), ports=ports
    )
    names = ("subnet-a", "subnet-b", "subnet-c", "subnet-d", "other")

    flows = [
        value(state, "flowlog_flows_total", {**TRAFFIC_LABELS, "subnet_id": name}, max_subnets=2) for name in names
    ]
    ports_shown = [
        value(state, "flowlog_rejected_port_flows_total", {**PORT_LABELS, "subnet_id": name}, max_subnets=2)
        for name in names
    ]

    assert [1, 2, None, None, 12] == flows
    assert [100, None, None, None, 600] == ports_shown
    assert 2 == value(state, "flowlog_folded_subnets", {}, max_subnets=2)


def test_a_subnet_is_as_old_as_its_first_series() -> None:
    """A new series does not push an old subnet beyond the limit."""
    first = replace_direction(birth("subnet-a", 1, 1))
    state = state_of(birth("subnet-a", 9, 1), birth("subnet-b", 2, 2), first)

    assert 1 == value(state, "flowlog_flows_total", TRAFFIC_LABELS, max_subnets=1)
    assert 1 == value(state, "flowlog_folded_subnets", {}, max_subnets=1)


def replace_direction(total: TrafficTotal) -> TrafficTotal:
    return total._replace(series=total.series._replace(direction="egress"))


def test_subnets_of_the_same_age_are_shown_by_their_names() -> None:
    """The choice does not depend on the order of the totals, so it is the same on every page."""
    for order in (("subnet-a", "subnet-b"), ("subnet-b", "subnet-a")):
        state = state_of(*(birth(name, 1, 1) for name in order))

        assert 1 == value(state, "flowlog_flows_total", TRAFFIC_LABELS, max_subnets=1)


def test_up_to_the_limit_nothing_is_folded() -> None:
    """There is no series of `other` then."""
    state = state_of(birth("subnet-a", 1, 1), birth("subnet-b", 2, 2))

    assert 0 == value(state, "flowlog_folded_subnets", {}, max_subnets=2)
    assert value(state, "flowlog_flows_total", {**TRAFFIC_LABELS, "subnet_id": "other"}, max_subnets=2) is None
