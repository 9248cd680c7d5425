"""The collector that prometheus_client calls for each scrape.

Makes every metric from an `InstanceState`, so nothing of an earlier scrape
remains, except text that is right for the new state as well. Does no I/O; an
error of `read_state` fails the scrape.

The home of prometheus_client, together with the other modules of this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.contract import LEGACY_METRICS, METRICS
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.operations import operations
from kcl_flowlog.exporter.rendered_family import KeptFamilies
from kcl_flowlog.exporter.state import InstanceState
from kcl_flowlog.exporter.subnets import subnet_metrics
from kcl_flowlog.exporter.traffic import TrafficMetrics

DAEMON_PROCESS_PREFIX = "flowlog_daemon"
"""The prefix of the daemon's process metrics, such as flowlog_daemon_process_resident_memory_bytes."""


class FlowlogCollector(Collector):
    """Shows the state that `read_state` returns.

    `traffic_labels`, `subnet_tags` and `legacy_metrics` are the settings of these names; without `new_series` no series
    is held at 0.
    """

    def __init__(
        self,
        read_state: Callable[[], InstanceState],
        traffic_labels: tuple[str, ...] = ("protocol", "peer"),
        new_series: NewSeries | None = None,
        subnet_tags: tuple[str, ...] = (),
        legacy_metrics: bool = False,
    ) -> None:
        self._read_state = read_state
        self._definitions = {**METRICS, **(LEGACY_METRICS if legacy_metrics else {})}
        new_series = new_series if new_series is not None else NewSeries(0.0)
        self._traffic = TrafficMetrics(traffic_labels, new_series, legacy_metrics)
        self._subnets: KeptFamilies[Inventory] = KeptFamilies(lambda inventory: subnet_metrics(inventory, subnet_tags))

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without samples, so that a scrape can select some by name."""
        return [Metric(definition.name, definition.help, definition.kind) for definition in self._definitions.values()]

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the tables."""
        state = self._read_state()
        yield from self._traffic.collect(state.totals, state.inventory)
        yield from self._subnets.of(state.inventory)
        yield from operations(state)


def metrics_registry(collector: FlowlogCollector, daemon_pid: Callable[[], int] | None = None) -> CollectorRegistry:
    """Return a registry with the collector.

    With `daemon_pid` it also has the process metrics of this process and of the daemon.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    if daemon_pid is not None:
        ProcessCollector(registry=registry)
        ProcessCollector(namespace=DAEMON_PROCESS_PREFIX, pid=daemon_pid, registry=registry)
    return registry
