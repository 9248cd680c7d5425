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


_Total = tuple[_Labels, int, int, int, int, int, int, int]
"""What a traffic total adds to each of `LEGACY_METRICS`, in their order, between labels and birth."""


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
    is_accepted, is_rejected = is_in and series.action == "accept", is_in and series.action == "reject"
    both = packets * is_in, packets * is_out, octets * is_in, octets * is_out
    return _Labels(block, series.subnet_id), *both, packets * is_accepted, packets * is_rejected, birth
