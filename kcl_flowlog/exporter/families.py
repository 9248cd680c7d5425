"""Metric families with the type, labels and help text of the table of metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from kcl_flowlog.exporter.contract import LEGACY_METRICS, METRICS

_ALL = {**METRICS, **LEGACY_METRICS}


def empty_family(name: str, labels: tuple[str, ...] | None = None) -> CounterMetricFamily | GaugeMetricFamily:
    """Return the family of a counter or gauge without samples; `labels` replaces the labels of its table."""
    definition = _ALL[name]
    family = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    return family(name, definition.help, labels=definition.labels if labels is None else labels)


def single_value(name: str, value: float | None) -> Metric:
    """Return the family of a metric without labels; without a sample if the value is unknown."""
    family = empty_family(name)
    if value is not None:
        family.add_metric((), value)
    return family


def values_by_label(name: str, values: Mapping[str, int]) -> Metric:
    """Return the family of a metric with one label: a sample for each of its values."""
    family = empty_family(name)
    for label, value in values.items():
        family.add_metric((label,), value)
    return family
