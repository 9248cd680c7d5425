"""The contract of the metrics page: each metric's name, type, labels and meaning, in one table.

The exporter fills it, docs/metrics.md is made from it, and the tests hold the
page against it. Names are for ever. Knows no values and no library.
"""

from __future__ import annotations

from typing import NamedTuple


class Definition(NamedTuple):
    """One metric of the contract. `kind` is counter, gauge, histogram or info."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


_TRAFFIC_LABELS = ("subnet_id", "direction", "action", "protocol", "peer")

METRICS = {
    definition.name: definition
    for definition in (
        Definition(
            "flowlog_flows",
            "counter",
            _TRAFFIC_LABELS,
            "Flow records of the subnet's interfaces. Each counts once, at the interface that recorded it.",
        ),
        Definition("flowlog_packets", "counter", _TRAFFIC_LABELS, "Packets in the flow records counted."),
        Definition("flowlog_bytes", "counter", _TRAFFIC_LABELS, "Bytes in the flow records counted."),
        Definition(
            "flowlog_rejected_port_flows",
            "counter",
            ("subnet_id", "direction", "protocol", "port"),
            "Rejected flow records by destination port, for the watched ports; the rest is port=other.",
        ),
        Definition(
            "flowlog_subnet_info",
            "gauge",
            ("subnet_id", "cidr", "ipv6_cidr", "vpc_id", "availability_zone_id", "account_id", "name"),
            "Always 1; what else is known of a subnet, to join by subnet_id.",
        ),
        Definition(
            "flowlog_events", "counter", ("outcome",), "Log events taken from the stream, by what became of them."
        ),
        Definition(
            "flowlog_payloads", "counter", ("outcome",), "Kinesis records taken from the stream, by what they held."
        ),
        Definition("flowlog_malformed", "counter", ("reason",), "Malformed payloads and log events, by reason."),
        Definition(
            "flowlog_event_delay_seconds",
            "histogram",
            (),
            "Time from the end of a flow to the processing of its record.",
        ),
        Definition("flowlog_batch_duration_seconds", "histogram", (), "Time to process a batch of a shard."),
        Definition("flowlog_shard_lag_seconds", "gauge", ("shard_id",), "How far reading is behind the newest record."),
        Definition(
            "flowlog_shard_last_record_timestamp_seconds",
            "gauge",
            ("shard_id",),
            "When the last record processed had arrived in the stream.",
        ),
        Definition(
            "flowlog_shard_last_checkpoint_timestamp_seconds", "gauge", ("shard_id",), "When the last commit was made."
        ),
        Definition(
            "flowlog_shard_last_callback_timestamp_seconds",
            "gauge",
            ("shard_id",),
            "When the daemon last called the shard's processor.",
        ),
        Definition("flowlog_shards_held", "gauge", (), "Shards that this instance holds now."),
        Definition("flowlog_checkpoints", "counter", ("outcome",), "Commits by what became of their checkpoint."),
        Definition(
            "flowlog_undecided_commits",
            "counter",
            (),
            "Commits counted although another instance may have counted the same records.",
        ),
        Definition("flowlog_inventory_subnets", "gauge", (), "Subnets known."),
        Definition("flowlog_inventory_interfaces", "gauge", (), "Network interfaces known."),
        Definition("flowlog_inventory_flow_logs", "gauge", (), "Flow logs known that write to a log group."),
        Definition(
            "flowlog_overlapping_flow_logs",
            "gauge",
            ("log_groups",),
            "Pairs of flow logs that record the same traffic, which counts twice if both reach the stream.",
        ),
        Definition(
            "flowlog_inventory_last_success_timestamp_seconds",
            "gauge",
            (),
            "When EC2 was last read with success, in any account.",
        ),
        Definition(
            "flowlog_inventory_source_last_success_timestamp_seconds",
            "gauge",
            ("account_id", "region"),
            "When EC2 was last read with success in an account and region, 0 where never.",
        ),
        Definition("flowlog_inventory_refreshes", "counter", ("outcome",), "Readings of the inventory from EC2."),
        Definition("flowlog_folded_subnets", "gauge", (), "Subnets past --max-subnets, summed as subnet_id=other."),
        Definition("flowlog_daemon_up", "gauge", (), "1 while the MultiLangDaemon runs and is initialised, else 0."),
        Definition("flowlog_daemon_restarts", "counter", ("reason",), "Restarts of the MultiLangDaemon, by reason."),
        Definition("flowlog_dead_letters", "counter", (), "Malformed payloads and lines kept as dead letters."),
        Definition(
            "flowlog_dead_letters_dropped", "counter", (), "Malformed payloads and lines that were only counted."
        ),
        Definition(
            "flowlog_build", "info", ("version", "kclpy", "kcl", "python", "java"), "Versions of what runs here."
        ),
    )
}
