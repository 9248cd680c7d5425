"""The metrics of the predecessor: names and labels, and how their numbers differ from what it counted."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from kcl_flowlog.commits.totals import Totals, TrafficTotal
from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.contract import LEGACY_METRICS, METRICS
from kcl_flowlog.exporter.exposition import TEXT, renderer
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.state import InstanceState
from tests.support.builders import GOOD, INVENTORY, NODATA, counted, envelope, line
from tests.support.clocks import FakeClock
from tests.support.exporter import STATE, page, traffic, value

GOLDEN = Path(__file__).parent / "data" / "legacy.prom"
SUBNET_A = {"subnet": "10.0.1.0/24", "subnet_id": "subnet-a"}


def test_the_page_has_them_after_all_others() -> None:
    """A change of a name, a label or a help text is a difference; REWRITE_GOLDEN=1 accepts it."""
    lines = page(STATE, legacy_metrics=True).splitlines(keepends=True)
    text = "".join(line for line in lines if any(name in line for name in LEGACY_METRICS))
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(text)

    assert GOLDEN.read_text() == text


def test_the_other_metrics_stay_as_they_are() -> None:
    """The old names are beside the new ones, and there by request only."""
    lines = page(STATE, legacy_metrics=True).splitlines()

    assert page(STATE).splitlines() == [line for line in lines if not any(name in line for name in LEGACY_METRICS)]
    assert METRICS.keys().isdisjoint(LEGACY_METRICS)


def test_a_scrape_can_select_them_by_name() -> None:
    """As any other metric."""
    registry = metrics_registry(FlowlogCollector(lambda: STATE, legacy_metrics=True))

    _, parts = renderer(registry)(TEXT, {"name[]": ["flowlog_denies_total"]})

    assert 'flowlog_denies_total{subnet="10.0.1.0/24",subnet_id="subnet-a"} 4.0' in b"".join(parts).decode()


def test_subnets_with_the_same_block_stay_apart() -> None:
    """If one of them goes, no series falls, which Prometheus would take for a restart."""
    totals = [traffic(f"subnet-{each}", "egress", "accept", "tcp", "internet", 1, 2, 3) for each in "ax"]
    subnets = tuple(Subnet(f"subnet-{each}", "vpc", "az", "10.0.1.0/24") for each in "ax")
    both = replace(STATE, totals=Totals(totals, [], {}, {}), inventory=Inventory(1.0, subnets))

    for subnet_id in ("subnet-a", "subnet-x"):
        labels = {"subnet": "10.0.1.0/24", "subnet_id": subnet_id}
        assert 3 == value(both, "flowlog_sent_bytes_total", labels, legacy_metrics=True)


@pytest.mark.parametrize("subnet_id", ["other", "subnet-unlisted", "subnet-of-ipv6"])
def test_a_subnet_without_a_known_ipv4_block_has_no_series(subnet_id: str) -> None:
    """Its label would have no value."""
    state = replace(
        STATE,
        totals=Totals([traffic(subnet_id, "egress", "accept", "tcp", "internet", 1, 2, 3)], [], {}, {}),
        inventory=Inventory(1.0, (Subnet("subnet-of-ipv6", "vpc-1", "az", "", ("2001:db8::/64",)),)),
    )

    assert subnet_id not in "".join(
        line for line in page(state, legacy_metrics=True).splitlines() if "flowlog_sent_bytes" in line
    )


def test_a_new_series_shows_0_first() -> None:
    """As its subnet's traffic does."""
    clock = FakeClock(0.0)
    total = traffic("subnet-a", "egress", "accept", "tcp", "internet", 1, 2, 3)
    state = replace(STATE, totals=Totals([total], [], {}, {}))
    collector = FlowlogCollector(lambda: state, new_series=NewSeries(60.0, clock=clock), legacy_metrics=True)
    registry = metrics_registry(collector)

    shown = []
    for clock.now in (0.0, 61.0):
        shown.append(registry.get_sample_value("flowlog_sent_bytes_total", SUBNET_A))

    assert [0, 3] == shown


# What flowlog-exporter counted, by the rules that docs/upgrading.md tells.

OUT = line("10.0.1.10", "198.51.100.7", packets=2, bytes=200)
BACK = line("198.51.100.7", "10.0.1.10", packets=3, bytes=300)
REJECTED = line("198.51.100.7", "10.0.1.10", action="REJECT", packets=1, bytes=40)
SENT_INSIDE = line("10.0.1.10", "10.0.2.10", "eni-a", packets=5, bytes=500)
RECEIVED_INSIDE = line("10.0.1.10", "10.0.2.10", "eni-b", packets=5, bytes=500)
BLOCKS = {"10.0.1.0/24": "subnet-a", "10.0.2.0/24": "subnet-b"}

Counts = dict[tuple[str, str], int]


def old_counts(*lines: str) -> Counts:
    """Return what flowlog-exporter counted for the lines of an envelope: each end in a known block, by block."""
    found: Counter[tuple[str, str]] = Counter()
    for each in lines:
        words = each.split()
        if words[-1] != "OK":
            break
        packets, octets = int(words[8]), int(words[9])
        for block in BLOCKS:
            if ip_address(words[3]) in ip_network(block):
                found["sent_packets", block] += packets
                found["sent_bytes", block] += octets
            if ip_address(words[4]) in ip_network(block):
                found["recieved_packets", block] += packets
                found["recieved_bytes", block] += octets
                found["accepts" if words[12] == "ACCEPT" else "denies", block] += packets
    return dict(found)


def new_counts(*lines: str) -> Counts:
    """Return what the metrics show for the lines of an envelope, without zeros."""
    delta, _ = counted(envelope(*lines))
    totals = [TrafficTotal._make((series, *cell, 1)) for series, cell in delta.traffic.items()]
    registry = metrics_registry(
        FlowlogCollector(lambda: InstanceState(Totals(totals, [], {}, {}), INVENTORY), legacy_metrics=True)
    )
    found: Counts = {}
    for name in LEGACY_METRICS:
        for block, subnet_id in BLOCKS.items():
            labels = {"subnet": block, "subnet_id": subnet_id}
            number = registry.get_sample_value(f"{name}_total", labels)
            if number:
                found[name.removeprefix("flowlog_"), block] = int(number)
    return found


@pytest.mark.parametrize("lines", [(OUT, BACK, REJECTED), (OUT,), (REJECTED, REJECTED)])
def test_traffic_with_others_counts_as_it_did(lines: tuple[str, ...]) -> None:
    """Each record names one subnet."""
    assert old_counts(*lines) == new_counts(*lines)


def test_traffic_inside_counted_twice_and_counts_once() -> None:
    """Both ends record it, and each record named both subnets."""
    both = SENT_INSIDE, RECEIVED_INSIDE

    assert old_counts(*both) == {key: 2 * number for key, number in new_counts(*both).items()}


def test_a_line_without_a_flow_hid_the_rest_of_its_envelope() -> None:
    """It costs nothing now."""
    assert {} == old_counts(NODATA, GOOD)
    assert new_counts(GOOD) == new_counts(NODATA, GOOD) != {}
