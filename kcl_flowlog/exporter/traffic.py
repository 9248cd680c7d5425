"""The traffic metrics: series summed by the labels shown, at most so many subnets, new series at 0.

A subnet keeps its name for as long as it is known: past the limit, the subnets
that were seen last are summed as `other`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client.core import Metric

from kcl_flowlog.commits.totals import Totals, TrafficTotal
from kcl_flowlog.exporter.families import empty_family, single_value
from kcl_flowlog.exporter.new_series import NewSeries

OTHER_SUBNET = "other"
"""The subnet_id of all subnets past `--max-subnets`."""


class TrafficMetrics:
    """Makes the metrics of flows, packets, bytes and rejected ports from totals.

    `labels` are the labels shown besides subnet_id, direction and action.
    """

    def __init__(self, labels: tuple[str, ...], max_subnets: int, new_series: NewSeries) -> None:
        self._labels = ("subnet_id", "direction", "action", *labels)
        self._max_subnets = max_subnets
        self._new_series = new_series

    def collect(self, totals: Totals) -> Iterator[Metric]:
        """Yield the metrics."""
        self._new_series.begin_page(totals.newest_birth())
        shown = self._shown_subnets(totals)
        yield from self._traffic(totals, shown)
        folded = len({total.series.subnet_id for total in totals.traffic} - shown)
        yield single_value("flowlog_folded_subnets", folded)
        yield self._rejected_ports(totals, shown)

    def _traffic(self, totals: Totals, shown: set[str]) -> Iterator[Metric]:
        sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        for total in totals.traffic:
            cell = sums[self._label_values(total, shown)]
            if self._new_series.shows_value(total.birth):
                for index, number in enumerate((total.flows, total.packets, total.bytes)):
                    cell[index] += number
        for index, name in enumerate(("flowlog_flows", "flowlog_packets", "flowlog_bytes")):
            family = empty_family(name, self._labels)
            for values, cell in sums.items():
                family.add_metric(values, cell[index])
            yield family

    def _label_values(self, total: TrafficTotal, shown: set[str]) -> tuple[str, ...]:
        series = total.series
        subnet_id = series.subnet_id if series.subnet_id in shown else OTHER_SUBNET
        return (subnet_id, *(getattr(series, label) for label in self._labels[1:]))

    def _rejected_ports(self, totals: Totals, shown: set[str]) -> Metric:
        sums: dict[tuple[str, ...], int] = defaultdict(int)
        for total in totals.rejected_ports:
            series = total.series
            subnet_id = series.subnet_id if series.subnet_id in shown else OTHER_SUBNET
            flows = total.flows if self._new_series.shows_value(total.birth) else 0
            sums[subnet_id, series.direction, series.protocol, series.port] += flows
        family = empty_family("flowlog_rejected_port_flows")
        for values, flows in sums.items():
            family.add_metric(values, flows)
        return family

    def _shown_subnets(self, totals: Totals) -> set[str]:
        """Return the subnets with a name: those seen first, so that no subnet loses its name later."""
        births: dict[str, int] = {}
        for total in totals.traffic:
            subnet_id = total.series.subnet_id
            births[subnet_id] = min(total.birth, births.get(subnet_id, total.birth))
        return set(sorted(births, key=lambda subnet_id: (births[subnet_id], subnet_id))[: self._max_subnets])
