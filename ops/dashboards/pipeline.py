"""The pipeline: whether all is read in time, and whether the counts are true."""

from __future__ import annotations

from functools import partial

from kcl_flowlog.counting.outcomes import MALFORMED, SKIPDATA, UNATTRIBUTED
from ops.dashboards import variables
from ops.dashboards.faults import FAULTS, INVENTORY, PROCESSES
from ops.dashboards.model import EIGHTH, THIRD, Dashboard, Limits, Panel, Query, stat
from ops.dashboards.queries import OF_INSTANCE, age, largest, selector, share, sums_by, total
from ops.dashboards.queries import rate as _rate
from ops.values import Values

_EVENTS = "flowlog_events_total"
_DELAY = "flowlog_event_delay_seconds_bucket"
_BATCH = "flowlog_batch_duration_seconds_bucket"


def rate(metric: str, *matchers: str) -> str:
    """Return the rate of each series of the chosen instances."""
    return _rate(metric, OF_INSTANCE, *matchers)


def of(metric: str, *matchers: str) -> str:
    """Return the series of the chosen instances."""
    return selector(metric, OF_INSTANCE, *matchers)


_stat = partial(stat, width=EIGHTH)


def _share_panel(title: str, description: str, counter: str, outcome: str, alert: str) -> Panel:
    expr = share(counter, outcome)
    return _stat(title, description, "percentunit", expr, alert, limits=Limits(alert, "share"))


_NOW = (
    _stat(
        "Instances up",
        "Instances that Prometheus can scrape.",
        "none",
        f"sum({selector('up')})",
        "FlowlogInstanceDown",
        "FlowlogAbsent",
        limits=Limits(is_lower_limit=True),
    ),
    _stat(
        "Daemons up",
        "Instances whose MultiLangDaemon runs and is initialised.",
        "none",
        f"sum({selector('flowlog_daemon_up')})",
        "FlowlogDaemonDown",
        limits=Limits(is_lower_limit=True),
    ),
    _stat(
        "Shards that nobody reads",
        "Open shards of the stream, less the shards that any instance shows. A closed shard that is still read can hide"
        " one for a while.",
        "none",
        f"{largest(selector('flowlog_stream_open_shards'))}"
        f" - count(count by (shard_id) ({selector('flowlog_shard_last_callback_timestamp_seconds')}))",
        "FlowlogShardUnread",
        limits=Limits(number=1),
    ),
    _stat(
        "Behind",
        "The time by which reading is behind the newest record, in the slowest shard.",
        "s",
        largest(selector("flowlog_shard_lag_seconds")),
        "FlowlogLag",
        limits=Limits("FlowlogLag", "seconds"),
    ),
    _share_panel(
        "Malformed",
        "The part of log events that can't be read.",
        _EVENTS,
        f'outcome="{MALFORMED}"',
        "FlowlogMalformedEvents",
    ),
    _share_panel(
        "Unattributed",
        "The part of log events whose subnet is not known.",
        _EVENTS,
        f'outcome="{UNATTRIBUTED}"',
        "FlowlogUnattributed",
    ),
    _share_panel(
        "Skipped by AWS",
        "The part of log events that say that AWS skipped records.",
        _EVENTS,
        f'outcome="{SKIPDATA}"',
        "FlowlogSkippedByAws",
    ),
    _stat(
        "Age of the inventory",
        "The time since EC2 was last read successfully in each account and region, of the oldest; decades if never.",
        "s",
        f"time() - min({selector('flowlog_inventory_source_last_success_timestamp_seconds')})",
        "FlowlogInventoryStale",
        limits=Limits("FlowlogInventoryStale", "seconds"),
    ),
)

_SHARDS = (
    Panel(
        "Behind, by shard",
        "The time by which reading is behind the newest record of each shard.",
        "s",
        (Query(largest(of("flowlog_shard_lag_seconds"), "shard_id"), "{{shard_id}}"),),
        width=THIRD,
        alerts=("FlowlogLag",),
        limits=Limits("FlowlogLag", "seconds"),
    ),
    Panel(
        "Time since the last commit, by shard",
        "Counts become visible with a commit, so they are this old, at least. A shard without records commits nothing.",
        "s",
        (Query(age(of("flowlog_shard_last_checkpoint_timestamp_seconds") + " > 0", "shard_id"), "{{shard_id}}"),),
        width=THIRD,
        alerts=("FlowlogCheckpointFailures",),
    ),
    Panel(
        "Shards held, by instance",
        "Shards that each instance holds, and the open shards of the stream. Where the sum is higher, a shard moves or"
        " a closed shard is still read.",
        "none",
        (
            Query(largest(of("flowlog_shards_held"), "instance"), "{{instance}}"),
            Query(largest(selector("flowlog_stream_open_shards")), "open shards"),
        ),
        width=THIRD,
        alerts=("FlowlogShardUnread", "FlowlogInstanceReadsNothing"),
    ),
    Panel(
        "Delay of flows",
        "The time from the end of a flow to its counting, most of which AWS takes. Half of the flows, and 95 of 100,"
        " are counted within this time.",
        "s",
        tuple(
            Query(f"histogram_quantile({quantile}, {total(rate(_DELAY), 'le')})", legend)
            for quantile, legend in ((0.5, "half"), (0.95, "95 %"))
        ),
        width=THIRD,
    ),
    Panel(
        "Time for a batch",
        "The time to process a batch of records of a shard. Half of the batches, and 99 of 100, take at most this.",
        "s",
        tuple(
            Query(f"histogram_quantile({quantile}, {total(rate(_BATCH), 'le')})", legend)
            for quantile, legend in ((0.5, "half"), (0.99, "99 %"))
        ),
        width=THIRD,
    ),
    Panel(
        "Commits, by outcome",
        "Commits by the outcome of their checkpoint. `throttled` is tried again; `ambiguous` and `failed` restart the"
        " daemon.",
        "cps",
        (sums_by(rate("flowlog_checkpoints_total"), "outcome"),),
        width=THIRD,
        alerts=("FlowlogCheckpointFailures",),
        is_stacked=True,
    ),
)

_DATA = (
    Panel(
        "Log events, by outcome",
        "Every log event that is read has exactly one outcome.",
        "cps",
        (sums_by(rate(_EVENTS), "outcome"),),
        width=THIRD,
        alerts=("FlowlogNoData", "FlowlogInstanceReadsNothing"),
        is_stacked=True,
    ),
    Panel(
        "Kinesis records, by outcome",
        "Every record of the stream has exactly one outcome.",
        "cps",
        (sums_by(rate("flowlog_payloads_total"), "outcome"),),
        width=THIRD,
        alerts=("FlowlogMalformedPayloads",),
        is_stacked=True,
    ),
    Panel(
        "Malformed, by reason",
        "What is wrong with payloads and lines that can't be read. The dead letters hold them.",
        "cps",
        (sums_by(rate("flowlog_malformed_total"), "reason"),),
        width=THIRD,
        alerts=("FlowlogMalformedEvents", "FlowlogMalformedPayloads", "FlowlogPoison"),
        is_stacked=True,
    ),
)


def pipeline(values: Values) -> Dashboard:
    """Return the dashboard."""
    return Dashboard(
        "kcl-flowlog-pipeline",
        "kcl-flowlog / Pipeline",
        "Whether kcl-flowlog reads everything in time, and whether its counts are true.",
        "1m",
        (variables.JOB, variables.INSTANCE),
        {
            "Now": _NOW,
            "Shards": _SHARDS,
            "Data": _DATA,
            "Faults": FAULTS,
            "Inventory and credentials": INVENTORY,
            "Processes": PROCESSES,
        },
    )
