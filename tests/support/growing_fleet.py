"""A fleet whose counters grow from page to page, with every label value that the product's tables have."""

from __future__ import annotations

import os
from collections.abc import Iterator

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES
from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.counts import BATCH_DURATION, BOUNDS, EVENT_DELAY
from kcl_flowlog.counting.delta import Histogram, RejectedPort, Traffic
from kcl_flowlog.counting.outcomes import EVENT_OUTCOMES, MALFORMED_REASONS, PAYLOAD_OUTCOMES
from kcl_flowlog.counting.paths import PATHS
from kcl_flowlog.counting.peers import PEERS
from kcl_flowlog.counting.subnets import FlowLog, Interface, Inventory, Source, Subnet
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import renderer
from kcl_flowlog.exporter.state import FileSystem, InstanceState, ShardState
from kcl_flowlog.launcher.supervisor import RESTART_REASONS

OLD = 1
SUBNETS = (
    Subnet("subnet-a", "vpc-1", "euc1-az1", "10.0.1.0/24", name='web "a"', vpc_name="shop", tags=(("team", "net"),)),
    Subnet("subnet-b", "vpc-2", "euc1-az2", "10.1.1.0/24"),
)
UNLISTED = "subnet-unlisted"


def pages_of(number: int, traffic_labels: tuple[str, ...], subnet_tags: tuple[str, ...], now: float) -> list[bytes]:
    """Return three pages of an instance, as text, whose counters grow by the same step each time."""
    steps = iter((1, 2, 3))
    collector = FlowlogCollector(
        lambda: _state(number, next(steps), now), traffic_labels=traffic_labels, subnet_tags=subnet_tags
    )
    render = renderer(metrics_registry(collector, os.getpid))
    return [b"".join(render("", {})[1]) for _ in range(3)]


def _state(number: int, step: int, now: float) -> InstanceState:
    return InstanceState(
        totals=Totals(
            traffic=[
                TrafficTotal(series, 10 * step, 200 * step, 30_000_000 * step, OLD)
                for subnet_id in (*(subnet.subnet_id for subnet in SUBNETS), UNLISTED)
                for series in _traffic(subnet_id)
            ],
            rejected_ports=[
                RejectedPortTotal(RejectedPort(subnet.subnet_id, "ingress", "tcp", port), 3 * step, OLD)
                for subnet in SUBNETS
                for port in ("22", "3389", "other")
            ],
            counts={
                **{("events", outcome): 100 * step for outcome in EVENT_OUTCOMES},
                **{("payloads", outcome): 10 * step for outcome in PAYLOAD_OUTCOMES},
                **{("malformed", reason): step for reason in MALFORMED_REASONS},
                **{("checkpoints", outcome): step for outcome in CHECKPOINT_OUTCOMES},
                **{(name, ""): step for name in ("undecided_commits", "dead_letters", "dead_letters_dropped")},
            },
            histograms={
                name: Histogram([step] * (len(BOUNDS[name]) + 1), 100.0 * step)
                for name in (EVENT_DELAY, BATCH_DURATION)
            },
        ),
        inventory=Inventory(
            now - 60,
            SUBNETS,
            (Interface("eni-1", "subnet-a", "vpc-1"),),
            (FlowLog("fl-1", "vpc-1", "group", "${bytes}"),),
            (Source("here", "123456789012", "eu-central-1", now - 61),),
        ),
        overlaps={"same": 1},
        delivery_errors={"access_error": 1},
        subnets_without_flow_logs=1,
        open_shards=3,
        file_system=FileSystem(2**30, 2**29),
        rejected_distinct=dict.fromkeys((*(each.subnet_id for each in SUBNETS), UNLISTED), (100 * number, 10)),
        shards=[ShardState(f"shardId-{number:012}", 5.0, now - 5, now - 3, now - 1)],
        inventory_refreshes={"ok": step, "error": step},
        daemon_up=True,
        daemon_restarts=dict.fromkeys(RESTART_REASONS, step),
        credentials_refreshes={"ok": step, "error": step},
        credentials_expire_at=now + 3600,
        build={"version": "1.2.3", "kclpy": "3.1.3", "kcl": "3.1.2", "python": "3.11", "java": "17"},
    )


def _traffic(subnet_id: str) -> Iterator[Traffic]:
    """Yield series with each peer, each path, and those of a NAT gateway."""
    for peer in PEERS:
        yield Traffic(subnet_id, "ingress", "accept", "tcp", peer, "unknown", "interface")
        yield Traffic(subnet_id, "egress", "accept", "tcp", peer, "internet_gateway", "interface")
        yield Traffic(subnet_id, "ingress", "reject", "udp", peer, "unknown", "interface")
        yield Traffic(subnet_id, "ingress", "accept", "tcp", peer, "unknown", "nat_gateway")
    for path in PATHS:
        yield Traffic(subnet_id, "egress", "accept", "udp", "private", path, "interface")
