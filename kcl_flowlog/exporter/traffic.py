"""The traffic metrics: series summed by the labels shown, new series at 0.

The totals have a bounded number of subnets, and one of them is `other`; nothing is left out here.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from kcl_flowlog.commits.totals import RejectedPortTotal, Totals, TrafficTotal
from kcl_flowlog.counting.delta import RejectedPort, Traffic
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.families import single_value
from kcl_flowlog.exporter.legacy import LegacyMetrics
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.series_lines import SeriesLines


class TrafficMetrics:
    """Makes the metrics of flows, packets, bytes and rejected ports from totals.

    `labels` are the labels shown besides subnet_id, direction and action; with `legacy`, there are also the metrics of
    the predecessor.
    """

    def __init__(self, labels: tuple[str, ...], new_series: NewSeries, legacy: bool = False) -> None:
        self._new_series = new_series
        self._legacy = LegacyMetrics() if legacy else None
        self._traffic: SeriesLines[TrafficTotal] = SeriesLines(
            ("flowlog_flows", "flowlog_packets", "flowlog_bytes"),
            Traffic._fields,
            ("subnet_id", "direction", "action", *labels),
        )
        self._rejected_ports: SeriesLines[RejectedPortTotal] = SeriesLines(
            ("flowlog_rejected_port_flows",), RejectedPort._fields, RejectedPort._fields
        )

    def collect(self, totals: Totals, inventory: Inventory) -> Iterator[Metric]:
        """Yield the metrics. Only those of the predecessor need the inventory."""
        latest = self._new_series.begin_page(totals.newest_birth())
        yield from self._traffic.families(totals.traffic, latest)
        yield single_value("flowlog_folded_subnets", totals.folded_subnets)
        yield from self._rejected_ports.families(totals.rejected_ports, latest)
        if self._legacy is not None:
            yield from self._legacy.families(totals.traffic, inventory, latest)
