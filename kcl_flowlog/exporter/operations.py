"""The metrics about the instance: outcomes and delays of what it read, inventory, shards, daemon, versions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, InfoMetricFamily, Metric

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.counts import BOUNDS
from kcl_flowlog.exporter.contract import METRICS
from kcl_flowlog.exporter.families import empty_family, single_value, values_by_label
from kcl_flowlog.exporter.state import InstanceState

# Each value of a label is there from the start, at 0, so that `increase()` sees the first count.
_LABELLED_COUNTS = {
    "flowlog_events": (counts.EVENTS, tuple(outcomes.EVENT_OUTCOMES)),
    "flowlog_payloads": (counts.PAYLOADS, tuple(outcomes.PAYLOAD_OUTCOMES)),
    "flowlog_malformed": (counts.MALFORMED, tuple(outcomes.MALFORMED_REASONS)),
    "flowlog_checkpoints": (counts.CHECKPOINTS, CHECKPOINT_OUTCOMES),
}
_PLAIN_COUNTS = {
    "flowlog_undecided_commits": counts.UNDECIDED_COMMITS,
    "flowlog_dead_letters": counts.DEAD_LETTERS,
    "flowlog_dead_letters_dropped": counts.DEAD_LETTERS_DROPPED,
    "flowlog_denials_held_back": counts.DENIALS_HELD_BACK,
}
_HISTOGRAMS = {
    "flowlog_event_delay_seconds": counts.EVENT_DELAY,
    "flowlog_batch_duration_seconds": counts.BATCH_DURATION,
}
# The field of `ShardState` that each gauge shows.
_SHARD_GAUGES = {
    "flowlog_shard_lag_seconds": "lag",
    "flowlog_shard_last_record_timestamp_seconds": "last_record_at",
    "flowlog_shard_last_checkpoint_timestamp_seconds": "last_checkpoint_at",
    "flowlog_shard_last_callback_timestamp_seconds": "last_callback_at",
}


def operations(state: InstanceState) -> Iterator[Metric]:
    """Yield every metric that is not about traffic or subnets."""
    yield from _inventory(state)
    yield from _counts(state.totals)
    yield from _histograms(state.totals)
    yield from _shards(state)
    yield from _daemon(state)
    yield from _distinct(state)


def _inventory(state: InstanceState) -> Iterator[Metric]:
    inventory = state.inventory
    yield single_value("flowlog_inventory_subnets", len(inventory.subnets))
    yield single_value("flowlog_inventory_interfaces", len(inventory.interfaces))
    yield single_value("flowlog_inventory_flow_logs", len(inventory.flow_logs))
    yield values_by_label("flowlog_overlapping_flow_logs", {"same": 0, "different": 0, **state.overlaps})
    yield values_by_label("flowlog_flow_log_delivery_errors", state.delivery_errors or {})
    yield single_value("flowlog_subnets_without_flow_logs", state.subnets_without_flow_logs)
    yield single_value("flowlog_inventory_last_success_timestamp_seconds", inventory.taken_at)
    last_success = empty_family("flowlog_inventory_source_last_success_timestamp_seconds")
    for source in inventory.sources:
        last_success.add_metric((source.account_id, source.region), source.taken_at)
    yield last_success
    yield values_by_label("flowlog_inventory_refreshes", state.inventory_refreshes)


def _counts(totals: Totals) -> Iterator[Metric]:
    for name, (count, labels) in _LABELLED_COUNTS.items():
        yield values_by_label(name, {**dict.fromkeys(labels, 0), **totals.by_label(count)})
    for name, count in _PLAIN_COUNTS.items():
        yield single_value(name, totals.counts.get((count, ""), 0))


def _histograms(totals: Totals) -> Iterator[Metric]:
    for name, count in _HISTOGRAMS.items():
        bounds = [*map(str, BOUNDS[count]), "+Inf"]
        found = totals.histograms.get(count)
        buckets = found.buckets if found is not None else [0] * len(bounds)
        total = found.sum if found is not None else 0.0
        family = HistogramMetricFamily(name, METRICS[name].help)
        family.add_metric((), list(zip(bounds, accumulate(buckets), strict=True)), total)
        yield family


def _shards(state: InstanceState) -> Iterator[Metric]:
    for name, attribute in _SHARD_GAUGES.items():
        family = empty_family(name)
        for shard in state.shards:
            value = getattr(shard, attribute)
            # A lag of 0 is a good lag; a time of 0 is no time.
            if value or (attribute == "lag" and value is not None):
                family.add_metric((shard.shard_id,), value)
        yield family
    yield single_value("flowlog_shards_held", len(state.shards))
    yield single_value("flowlog_stream_open_shards", state.open_shards)


def _daemon(state: InstanceState) -> Iterator[Metric]:
    yield single_value("flowlog_daemon_up", int(state.daemon_up))
    yield values_by_label("flowlog_daemon_restarts", state.daemon_restarts)
    size, available = state.file_system or (None, None)
    yield single_value("flowlog_state_filesystem_size_bytes", size)
    yield single_value("flowlog_state_filesystem_available_bytes", available)
    yield values_by_label("flowlog_credentials_refreshes", state.credentials_refreshes)
    yield single_value("flowlog_credentials_expiry_timestamp_seconds", state.credentials_expire_at or None)
    build = InfoMetricFamily("flowlog_build", METRICS["flowlog_build"].help)
    build.add_metric((), dict(state.build))
    yield build


def _distinct(state: InstanceState) -> Iterator[Metric]:
    for place, name in enumerate(("flowlog_rejected_distinct_sources", "flowlog_rejected_distinct_ports")):
        found = sorted(state.rejected_distinct.items())
        yield values_by_label(name, {subnet_id: numbers[place] for subnet_id, numbers in found})
