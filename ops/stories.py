"""The stories that the alerts are tried with: for each alert some in which it fires, and some in which it does not.

A story names the alerts that fire at its end, and means that no other does. The numbers fit the values file as it is:
other thresholds need other stories. Series are in promtool's notation, with `x*` for "until the end".
"""

from __future__ import annotations

from typing import NamedTuple

Series = dict[str, str]
Fired = dict[str, str]

JOB = "the job of the story"
WARNING = {"severity": "warning"}
CRITICAL = {"severity": "critical"}
INFO = {"severity": "info"}


class Story(NamedTuple):
    """A story about an alert.

    `fires` has the labels of each firing alert besides job, and its name unless it is the story's alert. The story ends
    at `at`, a time since its beginning; if `ever`, also what fired before its end counts.
    """

    alert: str
    text: str
    series: Series
    fires: tuple[Fired, ...] = ()
    at: str = "1h"
    ever: bool = False


def named(metric: str, instance: str = "a", **labels: str) -> str:
    """Return the name of a series in promtool's notation."""
    shown = "".join(f',{label}="{value}"' for label, value in labels.items())
    return f'{metric}{{job="{JOB}",instance="{instance}"{shown}}}'


def always(value: float) -> str:
    """Return the values of a gauge that stays the same."""
    return f"{value:.15g}x*"


def growing(step: float) -> str:
    """Return the values of a counter that grows steadily."""
    return f"0+{step:.15g}x*"


def after(samples: int, then: str) -> str:
    """Return zeros, and then other values."""
    return f"0x{samples - 1} {then}"


def _shares(alert: str, counter: str, bad: tuple[str, str], share: float) -> list[Story]:
    """Return the stories of an alert about a share: of the outcome `bad`, beside the good outcome."""
    outcome, good = bad

    def series(part: float) -> Series:
        return {
            named(counter, outcome=outcome): growing(1e6 * part),
            named(counter, outcome=good): growing(1e6 * (1 - part)),
        }

    return [
        Story(alert, f"slightly more than the share is {outcome}", series(share * 1.01), (WARNING,)),
        Story(alert, f"slightly less than the share is {outcome}", series(share * 0.99)),
        Story(alert, f"nothing arrives any more, and some was {outcome}", {named(counter, outcome=outcome): always(5)}),
    ]


def _above(alert: str, series: str, limit: float, fires: tuple[Fired, ...], at: str = "150m") -> list[Story]:
    """Return the stories of an alert about a gauge above a limit."""
    return [
        Story(alert, "above the limit", {series: always(limit + 1)}, fires, at),
        Story(alert, "at the limit", {series: always(limit)}, at=at),
        Story(alert, "above the limit, but only just now", {series: f"{limit:.15g}x149 {limit + 1:.15g}x60"}, at=at),
    ]


def _leap(alert: str, series: str, limit: float, fires: tuple[Fired, ...]) -> list[Story]:
    """Return the stories of an alert about a counter that grows by more than a limit within its window."""
    leap = after(51, always(limit + 1))
    return [
        Story(alert, "more than the limit", {series: leap}, fires),
        Story(alert, "the limit", {series: after(51, always(limit * 0.9))}),
        Story(alert, "more than the limit, hours ago", {series: leap}, at="150m"),
    ]


TRUTH = (
    *_shares("FlowlogSkippedByAws", "flowlog_events_total", ("skipdata", "counted"), 0.001),
    *_shares("FlowlogMalformedEvents", "flowlog_events_total", ("malformed", "counted"), 0.01),
    *_shares("FlowlogMalformedPayloads", "flowlog_payloads_total", ("malformed", "data"), 0.01),
    *_shares("FlowlogMalformedPayloads", "flowlog_payloads_total", ("partial", "plain"), 0.01),
    *_shares("FlowlogUnattributed", "flowlog_events_total", ("unattributed", "counted"), 0.01),
    *_above(
        "FlowlogDeliveryErrors",
        named("flowlog_flow_log_delivery_errors", reason="access_error"),
        0,
        ({**WARNING, "reason": "access_error"},),
    ),
    *_above("FlowlogSubnetsWithoutFlowLogs", named("flowlog_subnets_without_flow_logs"), 0, (INFO,)),
    *_above("FlowlogOverlappingFlowLogs", named("flowlog_overlapping_flow_logs", log_groups="same"), 0, (INFO,)),
    Story(
        "FlowlogOverlappingFlowLogs",
        "the flow logs write to different log groups, of which one may not reach the stream",
        {named("flowlog_overlapping_flow_logs", log_groups="different"): always(3)},
        at="150m",
    ),
    Story(
        "FlowlogShardUnread",
        "two instances show the same shard, which moves, and nobody the other",
        {
            named("flowlog_stream_open_shards"): always(2),
            named("flowlog_shard_last_callback_timestamp_seconds", shard_id="shard-1"): growing(60),
            named("flowlog_shard_last_callback_timestamp_seconds", "b", shard_id="shard-1"): growing(60),
        },
        (CRITICAL,),
    ),
    Story("FlowlogShardUnread", "no shard is read", {named("flowlog_stream_open_shards"): always(1)}, (CRITICAL,)),
    Story(
        "FlowlogShardUnread",
        "each shard has an instance, and one of them still reads a closed shard",
        {
            named("flowlog_stream_open_shards"): always(2),
            named("flowlog_shard_last_callback_timestamp_seconds", shard_id="shard-1"): growing(60),
            named("flowlog_shard_last_callback_timestamp_seconds", "b", shard_id="shard-2"): growing(60),
            named("flowlog_shard_last_callback_timestamp_seconds", "b", shard_id="shard-0"): growing(60),
        },
    ),
    Story(
        "FlowlogShardUnread",
        "the stream was split ten minutes ago",
        {
            named("flowlog_stream_open_shards"): "1x49 2x60",
            named("flowlog_shard_last_callback_timestamp_seconds", shard_id="shard-0"): growing(60),
        },
    ),
    *_leap("FlowlogUndecidedCommit", named("flowlog_undecided_commits_total"), 0, ({**INFO, "instance": "a"},)),
    *_leap(
        "FlowlogPoison",
        named("flowlog_malformed_total", reason="payload_poison"),
        0,
        ({**WARNING, "instance": "a"},),
    ),
)

_READING = {
    named("flowlog_events_total", outcome="counted"): growing(100),
    named("flowlog_events_total", "b", outcome="counted"): growing(100),
    named("flowlog_shards_held"): always(1),
    named("flowlog_shards_held", "b"): always(1),
}
_B_READS_NOTHING = {**_READING, named("flowlog_events_total", "b", outcome="counted"): always(7)}
_LAG = named("flowlog_shard_lag_seconds", shard_id="shard-1")
_ON_SHARD = {"shard_id": "shard-1"}
_ON_A = {"instance": "a"}
_SOURCE = {"account_id": "123456789012", "region": "eu-central-1"}
_LAST_SUCCESS = named("flowlog_inventory_source_last_success_timestamp_seconds", **_SOURCE)
_EXPIRY = named("flowlog_credentials_expiry_timestamp_seconds")


def _disks(*free: tuple[str, float, str]) -> Series:
    """Return the file systems of instances: name, size, and what is left, in promtool's notation."""
    return {
        series: text
        for instance, size, left in free
        for series, text in (
            (named("flowlog_state_filesystem_size_bytes", instance), always(size)),
            (named("flowlog_state_filesystem_available_bytes", instance), left),
        )
    }


_DISK = "FlowlogDiskNearlyFull"
_GB = 1e9

HEALTH = (
    Story("FlowlogLag", "301 s behind", {_LAG: always(301)}, ({**WARNING, **_ON_SHARD},)),
    Story("FlowlogLag", "300 s behind", {_LAG: always(300)}),
    Story("FlowlogLag", "1801 s behind", {_LAG: always(1801)}, ({**WARNING, **_ON_SHARD}, {**CRITICAL, **_ON_SHARD})),
    Story("FlowlogLag", "a start catches up within minutes", {_LAG: "5000x5 0x60"}),
    Story(
        "FlowlogNoData",
        "the fleet read for an hour, and nothing since",
        {named("flowlog_events_total", outcome="counted"): "0+100x60 6000x300"},
        (CRITICAL,),
        at="2h",
    ),
    Story(
        "FlowlogNoData",
        "no interface has traffic, and AWS says so",
        {named("flowlog_events_total", outcome="nodata"): growing(1)},
    ),
    Story(
        "FlowlogNoData", "a new fleet has read nothing", {named("flowlog_events_total", outcome="counted"): always(0)}
    ),
    Story(
        "FlowlogInstanceReadsNothing",
        "b reads nothing and a does",
        _B_READS_NOTHING,
        ({**WARNING, "instance": "b"},),
    ),
    Story("FlowlogInstanceReadsNothing", "both read", _READING),
    Story(
        "FlowlogInstanceReadsNothing",
        "b holds no shard, as there are more instances than shards",
        {**_B_READS_NOTHING, named("flowlog_shards_held", "b"): always(0)},
    ),
    *_leap(
        "FlowlogCheckpointFailures",
        named("flowlog_checkpoints_total", outcome="ambiguous"),
        5,
        ({**WARNING, **_ON_A},),
    ),
    Story(
        "FlowlogCheckpointFailures",
        "leases are lost, as shards move",
        {named("flowlog_checkpoints_total", outcome="lost"): growing(1)},
    ),
    Story(
        "FlowlogInventoryStale",
        "EC2 answered at the start only",
        {_LAST_SUCCESS: always(1)},
        ({**WARNING, **_ON_A, **_SOURCE},),
        at="150m",
    ),
    Story("FlowlogInventoryStale", "EC2 answered an hour ago", {_LAST_SUCCESS: "1x59 3600x*"}, at="150m"),
    Story("FlowlogCredentialsExpire", "they expire in 2 minutes", {_EXPIRY: always(3720)}, ({**CRITICAL, **_ON_A},)),
    Story("FlowlogCredentialsExpire", "they expire in 6 minutes", {_EXPIRY: always(3960)}),
    Story("FlowlogDaemonDown", "no daemon", {named("flowlog_daemon_up"): always(0)}, ({**CRITICAL, **_ON_A},)),
    Story("FlowlogDaemonDown", "the daemon starts again", {named("flowlog_daemon_up"): "1x50 0x2 1x60"}),
    *_leap(
        "FlowlogDaemonRestarts",
        named("flowlog_daemon_restarts_total", reason="exited"),
        3,
        ({**WARNING, **_ON_A, "reason": "exited"},),
    ),
    Story(_DISK, "9 % of a volume of 20 GB", _disks(("a", 20 * _GB, always(1.8 * _GB))), ({**WARNING, **_ON_A},)),
    Story(_DISK, "11 % of a volume of 20 GB", _disks(("a", 20 * _GB, always(2.2 * _GB)))),
    Story(
        _DISK,
        "4 % of a volume of 20 GB, and of a volume of 1 GB",
        _disks(("a", 20 * _GB, always(0.8 * _GB)), ("b", _GB, always(0.04 * _GB))),
        tuple({**severity, "instance": each} for severity in (WARNING, CRITICAL) for each in "ab"),
    ),
    Story(_DISK, "2 % of a disk of 1 TB, which is much", _disks(("a", 1000 * _GB, always(20 * _GB)))),
    Story(_DISK, "half of a volume of 1 GB", _disks(("a", _GB, always(0.5 * _GB)))),
    Story(
        _DISK,
        "two instances share a disk, which fills in half an hour",
        _disks(*((each, 100 * _GB, "100000000000-3300000000x30 500000000x*") for each in "ab")),
        tuple({**severity, "instance": each} for severity in (WARNING, CRITICAL) for each in "ab"),
    ),
    Story(_DISK, "full for three minutes, as somebody unpacks a file", _disks(("a", 20 * _GB, "5e9x49 1e6x3 5e9x60"))),
    Story(
        "FlowlogInstanceRestarts",
        "four restarts",
        {named("process_start_time_seconds"): "1x20 2x3 3x3 4x3 5x*", named("up"): always(1)},
        ({**WARNING, **_ON_A},),
        at="40m",
    ),
    Story(
        "FlowlogInstanceRestarts",
        "three restarts",
        {named("process_start_time_seconds"): "1x20 2x3 3x3 4x*", named("up"): always(1)},
        at="40m",
    ),
    Story("FlowlogInstanceDown", "no answer", {named("up"): always(0)}, ({**WARNING, **_ON_A},), "6m"),
    Story("FlowlogInstanceDown", "no answer for two scrapes", {named("up"): "1x3 0x2 1x*"}, at="6m"),
    Story("FlowlogAbsent", "no target", {named("up"): "_x*"}, (CRITICAL,), "11m"),
    Story(
        "FlowlogAbsent",
        "a target that is down",
        {named("up"): always(0)},
        ({**WARNING, **_ON_A, "alertname": "FlowlogInstanceDown"},),
        "11m",
    ),
)
