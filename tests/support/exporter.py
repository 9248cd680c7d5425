"""An instance's state with a different value in every metric, and ways to look at the page it makes."""

from __future__ import annotations

from typing import Any

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.counts import BATCH_DURATION, BOUNDS, EVENT_DELAY
from kcl_flowlog.counting.delta import Histogram, RejectedPort, Traffic
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import TEXT, renderer
from kcl_flowlog.exporter.state import FileSystem, InstanceState, ShardState

NOW = 1_800_000_000.0
SUBNET_TAGS = ("team", "CostCenter")
OLD = 1
"""The birth of a series that is no longer new."""


def traffic(subnet_id: str, direction: str, action: str, protocol: str, peer: str, *sums: int) -> TrafficTotal:
    """Return the total of a series; `sums` are flows, packets and bytes."""
    flows, packets, size = sums
    return TrafficTotal(Traffic(subnet_id, direction, action, protocol, peer), flows, packets, size, OLD)


STATE = InstanceState(
    rejected_distinct={"subnet-b": (13, 14), "subnet-a": (12_345, 15)},
    totals=Totals(
        traffic=[
            traffic("subnet-a", "ingress", "accept", "tcp", "internet", 10, 200, 30_000),
            traffic("subnet-a", "ingress", "reject", "tcp", "internet", 3, 4, 120),
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
            ("checkpoints", "throttled"): 6,
            ("undecided_commits", ""): 8,
            ("dead_letters", ""): 9,
            ("dead_letters_dropped", ""): 11,
            ("denials_held_back", ""): 22,
        },
        histograms={
            EVENT_DELAY: Histogram([1] * (len(BOUNDS[EVENT_DELAY]) + 1), 200_000.5),
            BATCH_DURATION: Histogram([4] + [0] * len(BOUNDS[BATCH_DURATION]), 0.002),
        },
    ),
    inventory=Inventory(
        NOW - 60,
        (
            Subnet(
                *("subnet-a", "vpc-1", "euc1-az1", "10.0.1.0/24", ("2001:db8::/64",), "123456789012", 'web "a"'),
                region="eu-central-1",
                vpc_name="shop",
                tags=(("team", "net"), ("CostCenter", "7 \\ 8")),
            ),
            Subnet("subnet-b", "vpc-1", "euc1-az2", "10.0.2.0/24"),
        ),
        tuple(Interface(f"eni-{number}", "subnet-a", "vpc-1") for number in range(13)),
        tuple(FlowLog(f"fl-{number}", "vpc-1", "group", "${bytes}") for number in range(5)),
        (Source("here", "123456789012", "eu-central-1", NOW - 61), Source("there", "", "eu-west-1")),
    ),
    overlaps={"same": 14},
    delivery_errors={"access_error": 0, "rate_limited": 18, "unknown_error": 19},
    subnets_without_flow_logs=20,
    open_shards=21,
    file_system=FileSystem(2**30, 2**26),
    shards=[
        ShardState("shardId-000000000000", 0.0, NOW - 5, NOW - 3, NOW - 1),
        ShardState("shardId-000000000001", None, 0.0, 0.0, NOW - 2),
        ShardState("shardId-000000000002", 1.5, NOW - 6, NOW - 4, NOW - 7),
    ],
    inventory_refreshes={"ok": 16, "error": 15},
    daemon_up=True,
    daemon_restarts={"exited": 17, "killed": 0},
    credentials_refreshes={"ok": 19, "error": 18},
    credentials_expire_at=1_700_003_600.0,
    build={"version": "1.2.3", "kclpy": "3.1.3", "kcl": "3.1.2", "python": "3.11", "java": "17"},
)


def page(state: InstanceState, accept: str = TEXT, **options: Any) -> str:
    """Return the metrics page; `options` are those of the collector."""
    options = {"subnet_tags": SUBNET_TAGS, **options}
    registry = metrics_registry(FlowlogCollector(lambda: state, **options))
    return b"".join(renderer(registry)(accept, {})[1]).decode()


def value(state: InstanceState, name: str, labels: dict[str, str], **options: Any) -> float | None:
    """Return a sample of the page, None if it is not there; `options` are those of the collector."""
    return metrics_registry(FlowlogCollector(lambda: state, **options)).get_sample_value(name, labels)
