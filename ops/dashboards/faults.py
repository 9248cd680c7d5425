"""Rows of the pipeline's dashboard about rare faults, the inventory and the processes."""

from __future__ import annotations

from ops.dashboards.model import HALF, QUARTER, THIRD, WIDE, Column, Limits, Panel, Query, stat
from ops.dashboards.queries import OF_INSTANCE, age, increase, largest, rate, selector, sums_by, total

_NOT_SHOWN_ELSEWHERE = (
    ("flowlog_dead_letters_total", "dead letters kept"),
    ("flowlog_dead_letters_dropped_total", "dead letters dropped"),
    ("flowlog_denials_held_back_total", "denials held back"),
)


def _count(title: str, description: str, expr: str, *alerts: str) -> Panel:
    """Return how often something happened that should not, in the time that the dashboard shows."""
    limits = Limits(alerts[0])
    return stat(title, f"{description} In the time that the dashboard shows.", "none", expr, *alerts, limits=limits)


FAULTS = (
    _count(
        "Undecided commits",
        "Commits that were counted although another instance may have counted the same records.",
        total(increase("flowlog_undecided_commits_total", OF_INSTANCE)),
        "FlowlogUndecidedCommit",
    ),
    _count(
        "Records that kill",
        "Records that were skipped because three processors died while they counted them.",
        total(increase("flowlog_malformed_total", OF_INSTANCE, 'reason="payload_poison"')),
        "FlowlogPoison",
    ),
    _count(
        "Restarts of the daemon",
        "Restarts of the MultiLangDaemon, for any reason.",
        total(increase("flowlog_daemon_restarts_total", OF_INSTANCE)),
        "FlowlogDaemonRestarts",
    ),
    _count(
        "Restarts of instances",
        "Starts of the launcher's process, but the first of each instance.",
        f"sum(changes({selector('process_start_time_seconds', OF_INSTANCE)}[$__range]))",
        "FlowlogInstanceRestarts",
    ),
    Panel(
        "Restarts of the daemon, by reason",
        "Restarts of the MultiLangDaemon. Each delays its shards by a minute or two and loses nothing.",
        "none",
        (sums_by(f"increase({selector('flowlog_daemon_restarts_total', OF_INSTANCE)}[$__rate_interval])", "reason"),),
        width=HALF,
        alerts=("FlowlogDaemonRestarts",),
        is_stacked=True,
    ),
    Panel(
        "Dead letters, and denials held back",
        "Malformed payloads and lines that are kept as dead letters, and those beyond their limits; rejected flows that"
        " --log-deny.rate keeps from stdout.",
        "cps",
        tuple(Query(total(rate(metric, OF_INSTANCE)), legend) for metric, legend in _NOT_SHOWN_ELSEWHERE),
        width=HALF,
        alerts=("FlowlogMalformedEvents",),
    ),
)

_SOURCE = "flowlog_inventory_source_last_success_timestamp_seconds"

INVENTORY = (
    Panel(
        "Age of the inventory, by account and region",
        "The time since EC2 was last read successfully; accounts that never were are left out here.",
        "s",
        (Query(age(selector(_SOURCE) + " > 0", "account_id", "region"), "{{account_id}} {{region}}"),),
        width=THIRD,
        alerts=("FlowlogInventoryStale",),
        limits=Limits("FlowlogInventoryStale", "seconds"),
    ),
    Panel(
        "Readings of EC2, by outcome",
        "Attempts to read the inventory, by outcome.",
        "cps",
        (sums_by(rate("flowlog_inventory_refreshes_total", OF_INSTANCE), "outcome"),),
        width=THIRD,
        alerts=("FlowlogInventoryStale",),
        is_stacked=True,
    ),
    Panel(
        "Size of the inventory",
        "Subnets, interfaces and flow logs that the instances know, of the largest inventory.",
        "none",
        tuple(
            Query(largest(selector(f"flowlog_inventory_{things}")), things.replace("_", " "))
            for things in ("subnets", "interfaces", "flow_logs")
        ),
        width=THIRD,
    ),
    Panel(
        "Flow logs that do not deliver, by reason",
        "Flow logs whose records do not reach their log group, as EC2 says. Empty if EC2 does not tell.",
        "none",
        (Query(largest(selector("flowlog_flow_log_delivery_errors"), "reason"), "{{reason}}"),),
        width=THIRD,
        alerts=("FlowlogDeliveryErrors",),
        limits=Limits("FlowlogDeliveryErrors", "flow_logs"),
    ),
    Panel(
        "What nobody records, or somebody twice",
        "Subnets that no flow log records; pairs of flow logs that record the same traffic; subnets beyond"
        " --max-subnets, which count as `other`.",
        "none",
        (
            Query(largest(selector("flowlog_subnets_without_flow_logs")), "subnets without flow logs"),
            Query(
                largest(selector("flowlog_overlapping_flow_logs"), "log_groups"),
                "overlapping flow logs, {{log_groups}} log groups",
            ),
            Query(largest(selector("flowlog_folded_subnets")), "subnets in `other`"),
        ),
        width=THIRD,
        alerts=("FlowlogSubnetsWithoutFlowLogs", "FlowlogOverlappingFlowLogs"),
    ),
    Panel(
        "Life of the credentials",
        "The time until the AWS credentials of each instance expire; below 0 they have. Empty if they never do.",
        "s",
        (
            Query(
                f"min by (instance) ({selector('flowlog_credentials_expiry_timestamp_seconds', OF_INSTANCE)}) - time()",
                "{{instance}}",
            ),
        ),
        width=THIRD,
        alerts=("FlowlogCredentialsExpire",),
        limits=Limits("FlowlogCredentialsExpire", "seconds", is_lower_limit=True),
    ),
)

_PROCESSES = (("launcher", ""), ("daemon", "flowlog_daemon_"))

PROCESSES = (
    Panel(
        "CPU, by process",
        "CPU cores that the launcher and the daemon's Java use. The processors of the shards are not in it.",
        "none",
        tuple(
            Query(rate(f"{prefix}process_cpu_seconds_total", OF_INSTANCE), f"{name} {{{{instance}}}}")
            for name, prefix in _PROCESSES
        ),
        width=QUARTER,
    ),
    Panel(
        "Memory, by process",
        "Resident memory of the launcher and the daemon's Java.",
        "bytes",
        tuple(
            Query(selector(f"{prefix}process_resident_memory_bytes", OF_INSTANCE), f"{name} {{{{instance}}}}")
            for name, prefix in _PROCESSES
        ),
        width=QUARTER,
    ),
    Panel(
        "Left on the disk",
        "The part of the state directory's file system that is left. Instances on one disk show the same. The alert"
        " fires only if it is also few bytes.",
        "percentunit",
        (
            Query(
                f"{selector('flowlog_state_filesystem_available_bytes', OF_INSTANCE)}"
                f" / {selector('flowlog_state_filesystem_size_bytes', OF_INSTANCE)}",
                "{{instance}}",
            ),
        ),
        width=QUARTER,
        alerts=("FlowlogDiskNearlyFull",),
        limits=Limits("FlowlogDiskNearlyFull", "share", is_lower_limit=True),
    ),
    Panel(
        "Requests for credentials, by outcome",
        "Requests for new AWS credentials to their source, by outcome.",
        "cps",
        (sums_by(rate("flowlog_credentials_refreshes_total", OF_INSTANCE), "outcome"),),
        width=QUARTER,
        alerts=("FlowlogCredentialsExpire",),
        is_stacked=True,
    ),
    Panel(
        "Versions",
        "The versions of each instance and of the software that it runs on.",
        "none",
        (Query(f"max by (instance, version, kclpy, kcl, python, java) ({selector('flowlog_build_info')})"),),
        "table",
        WIDE,
        columns=tuple(
            Column(label, heading)
            for label, heading in (
                ("instance", "Instance"),
                ("version", "kcl-flowlog"),
                ("kclpy", "amazon-kclpy"),
                ("kcl", "KCL"),
                ("python", "Python"),
                ("java", "Java"),
            )
        ),
    ),
)
