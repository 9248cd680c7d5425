"""The collector that fills the table of metrics at each scrape.

It makes every family anew from a `State` that it is handed, so that nothing
of an earlier scrape can stay. It talks to nobody: a scrape fails only when
the ledger can't be read.

The home of prometheus_client, together with `kcl_flowlog.exporter.exposition`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES
from kcl_flowlog.commits.totals import Totals, TrafficTotal
from kcl_flowlog.counting import counts, outcomes
from kcl_flowlog.counting.counts import BOUNDS
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.contract import METRICS
from kcl_flowlog.exporter.new_series import NewSeries

OTHER_SUBNET = "other"
"""The subnet_id under which subnets past `--max-subnets` are summed."""


DAEMON_PROCESS_PREFIX = "flowlog_daemon"
"""The namespace of prometheus_client's process metrics, taken of the daemon."""


class ShardState(NamedTuple):
    """A shard held now. Times are Unix seconds, 0 where there was none yet."""

    shard_id: str
    lag: float | None
    last_record_at: float
    last_checkpoint_at: float
    last_callback_at: float


@dataclass(frozen=True)
class State:
    """Everything that a scrape shows."""

    totals: Totals
    inventory: Inventory
    shards: list[ShardState] = field(default_factory=list)
    inventory_refreshes: Mapping[str, int] = field(default_factory=dict)
    overlaps: Mapping[str, int] = field(default_factory=dict)
    daemon_up: bool = False
    daemon_restarts: Mapping[str, int] = field(default_factory=dict)
    build: Mapping[str, str] = field(default_factory=dict)


class FlowlogCollector(Collector):
    """Shows the state that `read_state` returns, by the options of the metrics."""

    def __init__(
        self,
        read_state: Callable[[], State],
        traffic_labels: tuple[str, ...] = ("protocol", "peer"),
        new_series: NewSeries | None = None,
        max_subnets: int = 5000,
    ) -> None:
        self._read_state = read_state
        self._kept = ("subnet_id", "direction", "action", *traffic_labels)
        self._newborns = new_series if new_series is not None else NewSeries(0.0)
        self._max_subnets = max_subnets

    def describe(self) -> Iterable[Metric]:
        """Name the metrics, so that a scrape can ask for some by name."""
        return [Metric(definition.name, definition.help, definition.kind) for definition in METRICS.values()]

    def collect(self) -> Iterator[Metric]:
        """Yield every family of the contract."""
        state = self._read_state()
        self._newborns.begin_page(state.totals.newest_birth())
        yield from self._traffic(state)
        yield self._rejected_ports(state)
        yield from _inventory(state)
        yield from _counts(state.totals)
        yield from _histograms(state.totals)
        yield from _shards(state)
        yield from _daemon(state)

    def _traffic(self, state: State) -> Iterator[Metric]:
        shown = self._shown_subnets(state.totals)
        sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0, 0, 0])
        for total in state.totals.traffic:
            cell = sums[self._traffic_key(total, shown)]
            if self._newborns.is_grown(total.birth):
                for place, number in enumerate((total.flows, total.packets, total.bytes)):
                    cell[place] += number
        for place, name in enumerate(("flowlog_flows", "flowlog_packets", "flowlog_bytes")):
            family = _family(name, self._kept)
            for key, cell in sums.items():
                family.add_metric(key, cell[place])
            yield family
        folded = len({total.series.subnet_id for total in state.totals.traffic} - shown)
        yield _plain("flowlog_folded_subnets", folded)

    def _traffic_key(self, total: TrafficTotal, shown: set[str]) -> tuple[str, ...]:
        series = total.series
        subnet_id = series.subnet_id if series.subnet_id in shown else OTHER_SUBNET
        return (subnet_id, *(getattr(series, label) for label in self._kept[1:]))

    def _rejected_ports(self, state: State) -> Metric:
        shown = self._shown_subnets(state.totals)
        sums: dict[tuple[str, ...], int] = defaultdict(int)
        for total in state.totals.rejected_ports:
            series = total.series
            subnet_id = series.subnet_id if series.subnet_id in shown else OTHER_SUBNET
            sums[subnet_id, series.direction, series.protocol, series.port] += (
                total.flows if self._newborns.is_grown(total.birth) else 0
            )
        family = _family("flowlog_rejected_port_flows")
        for key, flows in sums.items():
            family.add_metric(key, flows)
        return family

    def _shown_subnets(self, totals: Totals) -> set[str]:
        """Return the subnets shown by name: the first to be seen, so that none changes its name later."""
        born: dict[str, int] = {}
        for total in totals.traffic:
            subnet_id = total.series.subnet_id
            born[subnet_id] = min(total.birth, born.get(subnet_id, total.birth))
        return set(sorted(born, key=lambda subnet_id: (born[subnet_id], subnet_id))[: self._max_subnets])


def _inventory(state: State) -> Iterator[Metric]:
    family = _family("flowlog_subnet_info")
    for subnet in state.inventory.subnets:
        family.add_metric(
            (
                subnet.subnet_id,
                subnet.cidr,
                ",".join(subnet.ipv6_cidrs),
                subnet.vpc_id,
                subnet.availability_zone_id,
                subnet.account_id,
                subnet.name,
            ),
            1,
        )
    yield family
    yield _plain("flowlog_inventory_subnets", len(state.inventory.subnets))
    yield _plain("flowlog_inventory_interfaces", len(state.inventory.interfaces))
    yield _plain("flowlog_inventory_flow_logs", len(state.inventory.flow_logs))
    yield _labelled("flowlog_overlapping_flow_logs", {"same": 0, "different": 0, **state.overlaps})
    yield _plain("flowlog_inventory_last_success_timestamp_seconds", state.inventory.taken_at)
    last_success = _family("flowlog_inventory_source_last_success_timestamp_seconds")
    for source in state.inventory.sources:
        last_success.add_metric((source.account_id, source.region), source.taken_at)
    yield last_success
    yield _labelled("flowlog_inventory_refreshes", state.inventory_refreshes)


# Counts that have a label show each of its values from the start, at 0.
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
}


def _counts(totals: Totals) -> Iterator[Metric]:
    for name, (count, labels) in _LABELLED_COUNTS.items():
        found = {label: number for (kind, label), number in totals.counts.items() if kind == count}
        yield _labelled(name, {**dict.fromkeys(labels, 0), **found})
    for name, count in _PLAIN_COUNTS.items():
        yield _plain(name, totals.counts.get((count, ""), 0))


def _histograms(totals: Totals) -> Iterator[Metric]:
    for histogram, name in (
        (counts.EVENT_DELAY, "flowlog_event_delay_seconds"),
        (counts.BATCH_DURATION, "flowlog_batch_duration_seconds"),
    ):
        bounds = [*map(str, BOUNDS[histogram]), "+Inf"]
        found = totals.histograms.get(histogram)
        buckets = found.buckets if found is not None else [0] * len(bounds)
        family = HistogramMetricFamily(name, METRICS[name].help)
        family.add_metric(
            (), list(zip(bounds, accumulate(buckets), strict=True)), found.sum if found is not None else 0.0
        )
        yield family


# Each gauge of a shard with the field of `ShardState` that it shows; a time of 0 is no time yet.
_SHARD_GAUGES = {
    "flowlog_shard_lag_seconds": "lag",
    "flowlog_shard_last_record_timestamp_seconds": "last_record_at",
    "flowlog_shard_last_checkpoint_timestamp_seconds": "last_checkpoint_at",
    "flowlog_shard_last_callback_timestamp_seconds": "last_callback_at",
}


def _shards(state: State) -> Iterator[Metric]:
    for name, attribute in _SHARD_GAUGES.items():
        family = _family(name)
        for shard in state.shards:
            value = getattr(shard, attribute)
            if value or (attribute == "lag" and value is not None):
                family.add_metric((shard.shard_id,), value)
        yield family
    yield _plain("flowlog_shards_held", len(state.shards))


def _daemon(state: State) -> Iterator[Metric]:
    yield _plain("flowlog_daemon_up", int(state.daemon_up))
    yield _labelled("flowlog_daemon_restarts", state.daemon_restarts)
    build = InfoMetricFamily("flowlog_build", METRICS["flowlog_build"].help)
    build.add_metric((), dict(state.build))
    yield build


def _family(name: str, labels: tuple[str, ...] | None = None) -> CounterMetricFamily | GaugeMetricFamily:
    definition = METRICS[name]
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    return kind(name, definition.help, labels=definition.labels if labels is None else labels)


def _plain(name: str, value: float) -> Metric:
    family = _family(name)
    family.add_metric((), value)
    return family


def _labelled(name: str, values: Mapping[str, int]) -> Metric:
    family = _family(name)
    for label, value in values.items():
        family.add_metric((label,), value)
    return family


def metrics_registry(collector: FlowlogCollector, daemon_pid: Callable[[], int] | None = None) -> CollectorRegistry:
    """Return a registry with our metrics, and where there is a daemon, its process metrics and the launcher's."""
    made = CollectorRegistry()
    made.register(collector)
    if daemon_pid is None:
        return made
    ProcessCollector(registry=made)
    ProcessCollector(namespace=DAEMON_PROCESS_PREFIX, pid=daemon_pid, registry=made)
    return made
