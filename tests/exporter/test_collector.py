"""The metrics page, against a golden one, and what a series may do over time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.counts import BATCH_DURATION, BOUNDS, EVENT_DELAY
from kcl_flowlog.counting.delta import Histogram, RejectedPort, Traffic
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.exporter.collector import FlowlogCollector, ShardState, State
from kcl_flowlog.exporter.contract import METRICS
from kcl_flowlog.exporter.exposition import OPENMETRICS, TEXT, renderer
from kcl_flowlog.exporter.new_series import NewSeries

GOLDEN = Path(__file__).parent / "data" / "metrics.prom"
NOW = 1_800_000_000.0
OLD = 1


def traffic(subnet_id: str, direction: str, action: str, protocol: str, peer: str, *sums: int) -> TrafficTotal:
    return TrafficTotal(Traffic(subnet_id, direction, action, protocol, peer), *sums, OLD)


STATE = State(
    totals=Totals(
        traffic=[
            traffic("subnet-a", "ingress", "accept", "tcp", "internet", 10, 200, 30_000),
            traffic("subnet-a", "ingress", "reject", "tcp", "internet", 3, 3, 120),
            traffic("subnet-a", "egress", "accept", "udp", "same_zone", 5, 50, 5_000),
            traffic("subnet-b", "egress", "accept", "tcp", "cross_zone", 2**40, 2**50, 2**53),
        ],
        rejected_ports=[RejectedPortTotal(RejectedPort("subnet-a", "ingress", "tcp", "3389"), 3, OLD)],
        counts={
            ("events", "counted"): 18,
            ("events", "malformed"): 2,
            ("payloads", "data"): 4,
            ("payloads", "malformed"): 1,
            ("malformed", "bad_number"): 2,
            ("malformed", "payload_not_gzip"): 1,
            ("checkpoints", "ok"): 7,
            ("undecided_commits", ""): 1,
            ("dead_letters", ""): 3,
        },
        histograms={
            EVENT_DELAY: Histogram([1] * (len(BOUNDS[EVENT_DELAY]) + 1), 200_000.5),
            BATCH_DURATION: Histogram([4] + [0] * len(BOUNDS[BATCH_DURATION]), 0.002),
        },
    ),
    inventory=Inventory(
        NOW - 60,
        (
            Subnet("subnet-a", "vpc-1", "euc1-az1", "10.0.1.0/24", ("2001:db8::/64",), "123456789012", 'web "a"'),
            Subnet("subnet-b", "vpc-1", "euc1-az2", "10.0.2.0/24"),
        ),
        (Interface("eni-a", "subnet-a", "vpc-1"),),
        (FlowLog("fl-1", "vpc-1", "group", "${bytes}"),),
        (Source("here", "123456789012", "eu-central-1", NOW - 60), Source("there", "", "eu-west-1")),
    ),
    overlaps={"same": 1},
    shards=[
        ShardState("shardId-000000000000", 0.0, NOW - 5, NOW - 3, NOW - 1),
        ShardState("shardId-000000000001", None, 0.0, 0.0, NOW - 2),
    ],
    inventory_refreshes={"ok": 2, "error": 0},
    daemon_up=True,
    daemon_restarts={"exited": 1, "killed": 0},
    build={"version": "1.2.3", "kclpy": "3.1.3", "kcl": "3.1.3", "python": "3.11", "java": "17"},
)


def page(state: State, accept: str = TEXT, **options: object) -> str:
    registry = CollectorRegistry()
    registry.register(FlowlogCollector(lambda: state, **options))  # type: ignore[arg-type]
    return renderer(registry)(accept, {})[1].decode()


def value(state: State, name: str, labels: dict[str, str], **options: object) -> float | None:
    registry = CollectorRegistry()
    registry.register(FlowlogCollector(lambda: state, **options))  # type: ignore[arg-type]
    return registry.get_sample_value(name, labels)


def test_the_page_is_the_golden_one() -> None:
    """Every change of a name, a label or a help text shows as a difference; REWRITE_GOLDEN=1 takes it over."""
    if os.environ.get("REWRITE_GOLDEN"):
        GOLDEN.write_text(page(STATE))

    assert GOLDEN.read_text() == page(STATE)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_in_the_page() -> None:
    """The official judge of names, types and help texts has nothing to say."""
    judged = subprocess.run(
        ["promtool", "check", "metrics"], input=page(STATE), capture_output=True, text=True, check=False
    )

    assert (0, "", "") == (judged.returncode, judged.stdout, judged.stderr)


def test_the_page_has_every_metric_of_the_contract_and_no_other() -> None:
    """The table of metrics and the page agree on names and types."""
    typed = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page(STATE, OPENMETRICS), re.MULTILINE))

    assert {name: definition.kind for name, definition in METRICS.items()} == typed


@pytest.mark.parametrize("definition", METRICS.values(), ids=lambda definition: definition.name)
def test_help_texts_are_sentences(definition) -> None:
    """A help text begins with a capital or a figure and ends with a full stop; names are plain."""
    assert re.fullmatch(r"[A-Z0-9].*\.", definition.help)
    assert re.fullmatch(r"flowlog_[a-z_]+", definition.name)


def test_every_outcome_shows_from_the_start() -> None:
    """Counters with known labels are there at 0, so that their first increase is seen."""
    empty = replace(STATE, totals=Totals([], [], {}, {}))

    assert value(empty, "flowlog_events_total", {"outcome": "skipdata"}) == 0
    assert value(empty, "flowlog_malformed_total", {"reason": "field_count"}) == 0
    assert value(empty, "flowlog_undecided_commits_total", {}) == 0


LABELS = {"subnet_id": "subnet-a", "direction": "egress", "action": "accept"}


def test_a_newborn_series_shows_0() -> None:
    """increase() can't see the value that a series first appears with, so it first appears with 0."""
    series = Traffic(peer="same_zone", protocol="udp", **LABELS)
    labels = {**LABELS, "protocol": "udp", "peer": "same_zone"}

    state = replace(STATE, totals=Totals([TrafficTotal(series, 5, 50, 5000, 7)], [], {}, {}))

    def shown(before: int) -> float | None:
        return value(state, "flowlog_flows_total", labels, new_series=NewSeries(60.0, before))

    assert (shown(6), shown(7)) == (0, 5)


@pytest.mark.parametrize(
    ("kept", "labels", "flows"),
    [
        (("protocol", "peer"), {"protocol": "tcp", "peer": "internet"}, 10),
        (("protocol",), {"protocol": "tcp"}, 14),
        (("peer",), {"peer": "internet"}, 11),
        ((), {}, 15),
    ],
)
def test_labels_left_out_are_summed(kept: tuple[str, ...], labels: dict[str, str], flows: int) -> None:
    """--traffic-labels sums the others out, and loses nothing."""
    more = [
        traffic("subnet-a", "ingress", "accept", "tcp", "private", 4, 0, 0),
        traffic("subnet-a", "ingress", "accept", "udp", "internet", 1, 0, 0),
    ]
    state = replace(STATE, totals=Totals([STATE.totals.traffic[0], *more], [], {}, {}))
    all_labels = {"subnet_id": "subnet-a", "direction": "ingress", "action": "accept", **labels}

    assert flows == value(state, "flowlog_flows_total", all_labels, traffic_labels=kept)


def test_subnets_past_the_most_are_summed_as_other() -> None:
    """The first subnets keep their names for ever; the rest is one series, and how many those are is shown."""
    young = [
        TrafficTotal(Traffic(f"subnet-{name}", "egress", "accept", "tcp", "internet"), 1, 1, 1, OLD + 1)
        for name in "cd"
    ]
    state = replace(STATE, totals=Totals([*STATE.totals.traffic, *young], [], {}, {}))
    labels = {"direction": "egress", "action": "accept", "protocol": "tcp", "peer": "internet"}

    assert value(state, "flowlog_flows_total", {"subnet_id": "other", **labels}, max_subnets=2) == 2
    assert value(state, "flowlog_flows_total", {"subnet_id": "subnet-c", **labels}, max_subnets=2) is None
    assert value(state, "flowlog_folded_subnets", {}, max_subnets=2) == 2


def test_gauges_of_a_shard_vanish_with_it() -> None:
    """A lease that is gone leaves no frozen figure behind."""
    gone = replace(STATE, shards=[])

    assert "shardId-" not in page(gone)
    assert value(gone, "flowlog_shards_held", {}) == 0
