"""The tables of metrics: name, type, labels and meaning of each.

The collector takes them from here, docs/metrics.md is generated from it, and
tests compare the page with it. Users build dashboards and alerts on it: names
and labels never change. Knows no values and no library.
"""

from __future__ import annotations

from typing import NamedTuple


class Definition(NamedTuple):
    """A metric. `kind` is counter, gauge, histogram or info."""

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
            "Flow records, each counted once, for the subnet of the interface that recorded it.",
        ),
        Definition("flowlog_packets", "counter", _TRAFFIC_LABELS, "Packets in the counted flow records."),
        Definition("flowlog_bytes", "counter", _TRAFFIC_LABELS, "Bytes in the counted flow records."),
        Definition(
            "flowlog_rejected_port_flows",
            "counter",
            ("subnet_id", "direction", "protocol", "port"),
            "Rejected flow records by destination port; ports that are not watched are port=other.",
        ),
        Definition(
            "flowlog_subnet_info",
            "gauge",
            (
                *("subnet_id", "cidr", "ipv6_cidr", "vpc_id", "vpc_name"),
                *("availability_zone_id", "region", "account_id", "name"),
            ),
            "Name, CIDRs, VPC, zone, region and account of a subnet, to join by subnet_id; always 1.",
        ),
        Definition(
            "flowlog_subnet_tags",
            "gauge",
            ("subnet_id", "tag_…"),
            "The tags of a subnet that --subnet-tags names, to join by subnet_id; always 1.",
        ),
        Definition(
            "flowlog_rejected_distinct_sources",
            "gauge",
            ("subnet_id",),
            "About how many sources the rejected flows of the last hour had; absent with --no-who.",
        ),
        Definition(
            "flowlog_rejected_distinct_ports",
            "gauge",
            ("subnet_id",),
            "About how many destination ports the rejected flows of the last hour had; absent with --no-who.",
        ),
        Definition("flowlog_events", "counter", ("outcome",), "Log events read from the stream, by outcome."),
        Definition("flowlog_payloads", "counter", ("outcome",), "Kinesis records read from the stream, by outcome."),
        Definition("flowlog_malformed", "counter", ("reason",), "Malformed payloads and log events, by reason."),
        Definition(
            "flowlog_event_delay_seconds",
            "histogram",
            (),
            "Time from the end of a flow to the processing of its record.",
        ),
        Definition("flowlog_batch_duration_seconds", "histogram", (), "Time to process a batch of records of a shard."),
        Definition(
            "flowlog_shard_lag_seconds",
            "gauge",
            ("shard_id",),
            "Time by which reading is behind the newest record of the shard.",
        ),
        Definition(
            "flowlog_shard_last_record_timestamp_seconds",
            "gauge",
            ("shard_id",),
            "When the last processed record arrived in the stream.",
        ),
        Definition(
            "flowlog_shard_last_checkpoint_timestamp_seconds",
            "gauge",
            ("shard_id",),
            "When the last commit of the shard was made.",
        ),
        Definition(
            "flowlog_shard_last_callback_timestamp_seconds",
            "gauge",
            ("shard_id",),
            "When the daemon last called the shard's processor.",
        ),
        Definition("flowlog_shards_held", "gauge", (), "Shards that this instance holds."),
        Definition("flowlog_stream_open_shards", "gauge", (), "Open shards of the stream; absent if unknown."),
        Definition("flowlog_checkpoints", "counter", ("outcome",), "Commits, by the outcome of their checkpoint."),
        Definition(
            "flowlog_undecided_commits",
            "counter",
            (),
            "Commits that were counted although another instance may have counted the same records.",
        ),
        Definition("flowlog_inventory_subnets", "gauge", (), "Subnets in the inventory."),
        Definition("flowlog_inventory_interfaces", "gauge", (), "Network interfaces in the inventory."),
        Definition("flowlog_inventory_flow_logs", "gauge", (), "Flow logs in the inventory that write to a log group."),
        Definition(
            "flowlog_overlapping_flow_logs",
            "gauge",
            ("log_groups",),
            "Pairs of flow logs that record the same traffic, which counts twice if both reach the stream.",
        ),
        Definition(
            "flowlog_flow_log_delivery_errors",
            "gauge",
            ("reason",),
            "Flow logs whose records do not reach their log group, by reason; absent if EC2 does not tell.",
        ),
        Definition(
            "flowlog_subnets_without_flow_logs",
            "gauge",
            (),
            "Subnets that no flow log to a log group records; absent if EC2 does not tell.",
        ),
        Definition(
            "flowlog_inventory_last_success_timestamp_seconds",
            "gauge",
            (),
            "When the inventory was last read from EC2 successfully, in any account.",
        ),
        Definition(
            "flowlog_inventory_source_last_success_timestamp_seconds",
            "gauge",
            ("account_id", "region"),
            "When the inventory was last read from EC2 successfully in this account and region; 0 if never.",
        ),
        Definition(
            "flowlog_inventory_refreshes",
            "counter",
            ("outcome",),
            "Attempts to read the inventory from EC2, by outcome.",
        ),
        Definition(
            "flowlog_folded_subnets",
            "gauge",
            (),
            "Subnets beyond --max-subnets and --max-unlisted-subnets, summed as subnet_id=other; up to 1000.",
        ),
        Definition("flowlog_daemon_up", "gauge", (), "1 if the MultiLangDaemon runs and is initialised, else 0."),
        Definition("flowlog_daemon_restarts", "counter", ("reason",), "Restarts of the MultiLangDaemon, by reason."),
        Definition(
            "flowlog_state_filesystem_size_bytes",
            "gauge",
            (),
            "Size of the file system that holds the state directory; absent if the system does not tell.",
        ),
        Definition(
            "flowlog_state_filesystem_available_bytes",
            "gauge",
            (),
            "Bytes that this instance's user can still write to that file system; absent if the system does not tell.",
        ),
        Definition(
            "flowlog_credentials_refreshes",
            "counter",
            ("outcome",),
            "Requests for new AWS credentials to their source, by outcome.",
        ),
        Definition(
            "flowlog_credentials_expiry_timestamp_seconds",
            "gauge",
            (),
            "When the AWS credentials in use expire; missing if they never do.",
        ),
        Definition(
            "flowlog_dead_letters", "counter", (), "Malformed payloads and lines that were kept as dead letters."
        ),
        Definition(
            "flowlog_dead_letters_dropped",
            "counter",
            (),
            "Malformed payloads and lines that were counted but not kept as dead letters.",
        ),
        Definition(
            "flowlog_denials_held_back",
            "counter",
            (),
            "Rejected flows that were counted but not written to stdout, because of --log-deny.rate.",
        ),
        Definition(
            "flowlog_build",
            "info",
            ("version", "kclpy", "kcl", "python", "java"),
            "Versions of kcl-flowlog and of the software that it runs on.",
        ),
    )
}

_LEGACY_LABELS = ("subnet", "subnet_id")

LEGACY_METRICS = {
    definition.name: definition
    for definition in (
        Definition(
            # Misspelt, as in the dashboards that use it.
            "flowlog_recieved_packets",
            "counter",
            _LEGACY_LABELS,
            "Packets of ingress by subnet, under the name that flowlog-exporter used.",
        ),
        Definition(
            "flowlog_sent_packets",
            "counter",
            _LEGACY_LABELS,
            "Packets of egress by subnet, under the name that flowlog-exporter used.",
        ),
        Definition(
            "flowlog_recieved_bytes",
            "counter",
            _LEGACY_LABELS,
            "Bytes of ingress by subnet, under the name that flowlog-exporter used.",
        ),
        Definition(
            "flowlog_sent_bytes",
            "counter",
            _LEGACY_LABELS,
            "Bytes of egress by subnet, under the name that flowlog-exporter used.",
        ),
        Definition(
            "flowlog_accepts",
            "counter",
            _LEGACY_LABELS,
            "Packets of accepted ingress by subnet, under the name that flowlog-exporter used.",
        ),
        Definition(
            "flowlog_denies",
            "counter",
            _LEGACY_LABELS,
            "Packets of rejected ingress by subnet, under the name that flowlog-exporter used.",
        ),
    )
}
"""The metrics of `--legacy-metrics`: those of flowlog-exporter, the predecessor, by their names."""
