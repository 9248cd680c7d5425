"""The table of alerts. A threshold of the values file is `<its name>` in the texts, and so are `<job>` and `<days>`.

Alerts about traffic name subnets, all others instances, shards or the whole fleet (`job`).
"""

from __future__ import annotations

from typing import NamedTuple

from ops.recording import (
    CROSS_REGION,
    CROSS_ZONE,
    DISTINCT_PORTS,
    DISTINCT_SOURCES,
    EVENTS_RATE,
    INTERNET,
    NAT_GATEWAY,
    PORTS,
    REJECTED,
    REJECTED_FROM_INSIDE,
    Distinct,
    Traffic,
)


class Alert(NamedTuple):
    """An alert. `summary` is the same for every instance of it; `description` names where and how much."""

    name: str
    expr: str
    summary: str
    description: str


def _unusual(traffic: Traffic) -> str:
    return _above(traffic.recorded(f"rate{traffic.window}"), traffic.recorded("usual_rate1h"))


def _unusually_many(number: Distinct) -> str:
    return _above(number.recorded("max"), number.recorded("usual_max"))


def _above(recorded: str, usual: str) -> str:
    return f"{recorded} > <floor>\nand\n{recorded} > <times> * {usual}"


def _share(counter: str, outcomes: str) -> str:
    part = f'sum by (job) (rate({counter}{{outcome=~"{outcomes}"}}[1h]))'
    return f"{part}\n/\nsum by (job) (rate({counter}[1h]))\n> <share>"


def _bytes(name: str, traffic: Traffic, where: str) -> Alert:
    return Alert(
        name,
        _unusual(traffic),
        f"A subnet sends far more bytes {where} than usual at this time of day.",
        f"{{{{ $labels.subnet_id }}}} sends {{{{ $value | humanize1024 }}}}B/s {where}:"
        " over <times> times what is usual at this hour.",
    )


_OPEN_SHARDS = "max by (job) (flowlog_stream_open_shards)"
_SHARDS_SHOWN = "count by (job) (count by (job, shard_id) (flowlog_shard_last_callback_timestamp_seconds))"

TRAFFIC = (
    Alert(
        "FlowlogRejectedFlows",
        _unusual(REJECTED),
        "A subnet has far more rejected flows than usual at this time of day.",
        "{{ $labels.subnet_id }} rejects {{ $value | humanize }} flows/s ({{ $labels.direction }}):"
        " over <times> times what is usual at this hour.",
    ),
    Alert(
        "FlowlogRejectedFromInside",
        _unusual(REJECTED_FROM_INSIDE),
        "Far more flows than usual that began inside the network are rejected.",
        "{{ $labels.subnet_id }} has {{ $value | humanize }} rejected flows/s that it sent, or that came from a"
        " private address: over <times> times what is usual at this hour.",
    ),
    Alert(
        "FlowlogPortNewlyRejected",
        "sum by (job, subnet_id, direction, port)"
        ' (increase(flowlog_rejected_port_flows_total{port!="other"}[15m])) >= <flows>\n'
        f"unless\nmax_over_time({PORTS}[<days>d:1h] offset 1h) > 0\nand on (job) {EVENTS_RATE} offset 1d",
        "A subnet rejects flows to a watched port that it did not reject in the days before.",
        "{{ $labels.subnet_id }} rejected {{ $value | humanize }} flows to port {{ $labels.port }}"
        " ({{ $labels.direction }}) in 15 minutes, and none in the <days> days before.",
    ),
    Alert(
        "FlowlogPortScan",
        _unusually_many(DISTINCT_PORTS),
        "A subnet rejects flows to far more different ports than usual: somebody scans it.",
        "{{ $labels.subnet_id }} rejected flows to {{ $value | humanize }} different ports in the last hour:"
        " over <times> times what is usual at this hour.",
    ),
    Alert(
        "FlowlogManySources",
        _unusually_many(DISTINCT_SOURCES),
        "A subnet rejects flows from far more different addresses than usual: a spray or a flood.",
        "{{ $labels.subnet_id }} rejected flows from {{ $value | humanize }} different addresses in the last hour:"
        " over <times> times what is usual at this hour.",
    ),
    _bytes("FlowlogInternetBytes", INTERNET, "to the internet"),
    _bytes("FlowlogCrossZoneBytes", CROSS_ZONE, "to other availability zones"),
    _bytes("FlowlogCrossRegionBytes", CROSS_REGION, "to other regions"),
    _bytes("FlowlogNatGatewayBytes", NAT_GATEWAY, "through its NAT gateways"),
)

TRUTH = (
    Alert(
        "FlowlogSkippedByAws",
        _share("flowlog_events_total", "skipdata"),
        "AWS skipped flow records, so some traffic is not counted.",
        "{{ $value | humanizePercentage }} of the log events of {{ $labels.job }} say that AWS skipped records.",
    ),
    Alert(
        "FlowlogMalformedEvents",
        _share("flowlog_events_total", "malformed"),
        "Too many log events can't be read.",
        "{{ $value | humanizePercentage }} of the log events of {{ $labels.job }} are malformed.",
    ),
    Alert(
        "FlowlogMalformedPayloads",
        _share("flowlog_payloads_total", "malformed|partial"),
        "Too many Kinesis records can't be read.",
        "{{ $value | humanizePercentage }} of the payloads of {{ $labels.job }} are malformed or partial.",
    ),
    Alert(
        "FlowlogUnattributed",
        _share("flowlog_events_total", "unattributed"),
        "Too many flow records belong to no known subnet.",
        "{{ $value | humanizePercentage }} of the log events of {{ $labels.job }} are unattributed.",
    ),
    Alert(
        "FlowlogDeliveryErrors",
        "max by (job, reason) (flowlog_flow_log_delivery_errors) > <flow_logs>",
        "Flow logs do not reach their log group.",
        "{{ $value }} flow logs do not deliver: {{ $labels.reason }}.",
    ),
    Alert(
        "FlowlogSubnetsWithoutFlowLogs",
        "max by (job) (flowlog_subnets_without_flow_logs) > <subnets>",
        "Nobody records the traffic of some subnets.",
        "{{ $value }} subnets have no flow log to a log group.",
    ),
    Alert(
        "FlowlogOverlappingFlowLogs",
        'max by (job) (flowlog_overlapping_flow_logs{log_groups="same"}) > <pairs>',
        "Flow logs record the same traffic twice.",
        "{{ $value }} pairs of flow logs record the same traffic into one log group, so it counts twice.",
    ),
    Alert(
        "FlowlogShardUnread",
        f"{_OPEN_SHARDS}\n>\n(\n  {_SHARDS_SHOWN}\n  or {_OPEN_SHARDS} * 0\n)",
        "No instance reads some shard of the stream.",
        "The stream of {{ $labels.job }} has {{ $value }} open shards, and the instances show fewer.",
    ),
    Alert(
        "FlowlogUndecidedCommit",
        "sum by (job, instance) (increase(flowlog_undecided_commits_total[1h])) > <commits>",
        "A commit was counted that another instance may have counted, too.",
        "{{ $labels.instance }} counted {{ $value | humanize }} undecided commits within an hour.",
    ),
    Alert(
        "FlowlogPoison",
        'sum by (job, instance) (increase(flowlog_malformed_total{reason="payload_poison"}[1h])) > <records>',
        "A record that killed three processors was skipped.",
        "{{ $labels.instance }} skipped {{ $value | humanize }} records within an hour.",
    ),
)

HEALTH = (
    Alert(
        "FlowlogLag",
        "max by (job, shard_id) (flowlog_shard_lag_seconds) > <seconds>",
        "Reading is behind the newest record of a shard.",
        "{{ $labels.shard_id }} is {{ $value | humanizeDuration }} behind.",
    ),
    Alert(
        "FlowlogNoData",
        f"sum by (job) (rate(flowlog_events_total[30m])) == 0\nand\nmax_over_time({EVENTS_RATE}[1d]) > 0",
        "No instance has read any log event for half an hour.",
        "{{ $labels.job }} read log events within the last day, and none in the last 30 minutes.",
    ),
    Alert(
        "FlowlogInstanceReadsNothing",
        "sum by (job, instance) (rate(flowlog_events_total[15m])) == 0\n"
        f"and on (job, instance) flowlog_shards_held > 0\nand on (job) {EVENTS_RATE} > 0",
        "An instance holds shards and reads nothing, although others do.",
        "{{ $labels.instance }} holds shards and has read no log event for 15 minutes.",
    ),
    Alert(
        "FlowlogCheckpointFailures",
        "sum by (job, instance)"
        ' (increase(flowlog_checkpoints_total{outcome=~"throttled|ambiguous|failed"}[15m])) > <failures>',
        "Checkpoints fail again and again.",
        "{{ $labels.instance }} had {{ $value | humanize }} failed checkpoints in 15 minutes.",
    ),
    Alert(
        "FlowlogInventoryStale",
        "time() - flowlog_inventory_source_last_success_timestamp_seconds > <seconds>",
        "Subnets and interfaces of an account can't be read from EC2.",
        "{{ $labels.instance }} read account {{ $labels.account_id }} in {{ $labels.region }}"
        " {{ $value | humanizeDuration }} ago; if that is decades, never.",
    ),
    Alert(
        "FlowlogCredentialsExpire",
        "flowlog_credentials_expiry_timestamp_seconds - time() < <seconds>",
        "The AWS credentials expire, and their source gives no new credentials.",
        "The credentials of {{ $labels.instance }} expire in {{ $value | humanizeDuration }}; below 0 they have.",
    ),
    Alert(
        "FlowlogDaemonDown",
        "flowlog_daemon_up == 0",
        "The MultiLangDaemon of an instance does not run.",
        "The daemon of {{ $labels.instance }} does not run or is not initialised; the instance counts nothing.",
    ),
    Alert(
        "FlowlogDaemonRestarts",
        "sum by (job, instance, reason) (increase(flowlog_daemon_restarts_total[15m])) > <restarts>",
        "The MultiLangDaemon of an instance restarts again and again.",
        "The daemon of {{ $labels.instance }} restarted {{ $value | humanize }} times in 15 minutes:"
        " {{ $labels.reason }}.",
    ),
    Alert(
        "FlowlogDiskNearlyFull",
        "flowlog_state_filesystem_available_bytes < <bytes>\n"
        "and\nflowlog_state_filesystem_available_bytes / flowlog_state_filesystem_size_bytes < <share>",
        "The disk of an instance's state directory is nearly full; once it is full, nothing more is counted.",
        "The file system of {{ $labels.instance }}'s state directory has {{ $value | humanize1024 }}B left.",
    ),
    Alert(
        "FlowlogInstanceRestarts",
        'changes(process_start_time_seconds{job="<job>"}[30m]) > <restarts>',
        "An instance restarts again and again.",
        "{{ $labels.instance }} restarted {{ $value }} times in 30 minutes.",
    ),
    Alert(
        "FlowlogInstanceDown",
        'up{job="<job>"} == 0',
        "Prometheus can't scrape an instance.",
        "{{ $labels.instance }} does not answer.",
    ),
    Alert(
        "FlowlogAbsent",
        'absent(up{job="<job>"})',
        "Prometheus knows no instance at all.",
        "No target has job={{ $labels.job }}.",
    ),
)

ALERTS = {"kcl-flowlog.traffic": TRAFFIC, "kcl-flowlog.truth": TRUTH, "kcl-flowlog.health": HEALTH}
"""The alerts by the name of their group."""
