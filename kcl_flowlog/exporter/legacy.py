"""The metrics of `--legacy-metrics`: names of flowlog-exporter, the predecessor, for dashboards that still use them.

Its label `subnet` holds the subnet's IPv4 block, so a subnet without a known block has no series. `subnet_id` keeps
subnets with the same block apart: their sum would fall when the series of one of them end. The numbers are those of
the traffic metrics; docs/upgrading.md says how they differ from what flowlog-exporter counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kcl_flowlog.commits.totals import TrafficTotal
from kcl_flowlog.counting.known_interface import EGRESS, INGRESS
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.contract import LEGACY_METRICS
from kcl_flowlog.exporter.rendered_family import RenderedFamily
from kcl_flowlog.exporter.series_lines import SeriesLines


class _Labels(NamedTuple):
    subnet: str
    subnet_id: str


class _Total(NamedTuple):
    """What a traffic total adds to the metrics; between labels and birth in the order of `LEGACY_METRICS`."""

    labels: _Labels
    received_packets: int
    sent_packets: int
    received_bytes: int
    sent_bytes: int
    accepts: int
    denies: int
    birth: int


class LegacyMetrics:
    """Makes the metrics from traffic totals."""

    def __init__(self) -> None:
        self._lines: SeriesLines[_Total] = SeriesLines(tuple(LEGACY_METRICS), _Labels._fields, _Labels._fields)

    def families(self, totals: Sequence[TrafficTotal], inventory: Inventory, latest: int) -> list[RenderedFamily]:
        """Return the families of a page. A series that was born after `latest` shows 0."""
        blocks = {subnet.subnet_id: subnet.cidr for subnet in inventory.subnets if subnet.cidr}
        return self._lines.families(
            [_total(total, blocks[total.series.subnet_id]) for total in totals if total.series.subnet_id in blocks],
            latest,
        )


def _total(total: TrafficTotal, block: str) -> _Total:
    series, _, packets, octets, birth = total
    is_in, is_out = series.direction == INGRESS, series.direction == EGRESS
    return _Total(
        _Labels(block, series.subnet_id),
        received_packets=packets * is_in,
        sent_packets=packets * is_out,
        received_bytes=octets * is_in,
        sent_bytes=octets * is_out,
        accepts=packets * (is_in and series.action == "accept"),
        denies=packets * (is_in and series.action == "reject"),
        birth=birth,
    )
