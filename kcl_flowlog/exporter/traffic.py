"""The traffic metrics: series summed by the labels shown, new series at 0.

The totals have a bounded number of subnets, and one of them is `other`; nothing is left out here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from operator import itemgetter

from prometheus_client.core import Metric

from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting.delta import Traffic
from kcl_flowlog.exporter.families import empty_family, single_value
from kcl_flowlog.exporter.new_series import NewSeries


class TrafficMetrics:
    """Makes the metrics of flows, packets, bytes and rejected ports from totals.

    `labels` are the labels shown besides subnet_id, direction and action.
    """

    def __init__(self, labels: tuple[str, ...], new_series: NewSeries) -> None:
        self._labels = ("subnet_id", "direction", "action", *labels)
        self._pick = itemgetter(*map(Traffic._fields.index, self._labels))
        self._new_series = new_series

    def collect(self, totals: Totals) -> Iterator[Metric]:
        """Yield the metrics."""
        self._new_series.begin_page(totals.newest_birth())
        yield from self._traffic(totals)
        yield single_value("flowlog_folded_subnets", totals.folded_subnets)
        yield self._rejected_ports(totals)

    def _traffic(self, totals: Totals) -> Iterator[Metric]:
        sums: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
        for total in totals.traffic:
            cell = sums[self._pick(total.series)]
            if self._new_series.shows_value(total.birth):
                for index, number in enumerate((total.flows, total.packets, total.bytes)):
                    cell[index] += number
        for index, name in enumerate(("flowlog_flows", "flowlog_packets", "flowlog_bytes")):
            family = empty_family(name, self._labels)
            for values, cell in sums.items():
                family.add_metric(values, cell[index])
            yield family

    def _rejected_ports(self, totals: Totals) -> Metric:
        sums: dict[tuple[str, ...], int] = defaultdict(int)
        for total in totals.rejected_ports:
            sums[total.series] += total.flows if self._new_series.shows_value(total.birth) else 0
        family = empty_family("flowlog_rejected_port_flows")
        for values, flows in sums.items():
            family.add_metric(values, flows)
        return family
