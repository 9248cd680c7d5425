"""The documentation names only metrics, labels and label values that the product has."""

from __future__ import annotations

from pathlib import Path

import pytest

from kcl_flowlog.exporter.contract import METRICS
from tests.support.exporter import STATE, page
from tests.support.label_values import LABELS, VALUES, unknown_names, unknown_values
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_name_and_label_value_of_a_page_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    # A sentence may name a whole histogram; in a query it would select nothing.
    histograms = {name for name, definition in METRICS.items() if definition.kind == "histogram"}

    assert [] == [name for name in (*unknown_names(text), *unknown_values(text)) if name not in histograms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('flowlog_flows_total{action="reject",peer=~"internet|private"}', []),
        ("flowlog_flow_total", ["flowlog_flow_total"]),
        ("flowlog_flows", ["flowlog_flows"]),
        ('flowlog_flow_total{action="reject"}', ["flowlog_flow_total", "flowlog_flow_total"]),
        ('flowlog_flows_total{verdict="reject"}', ["flowlog_flows_total: verdict"]),
        ('flowlog_flows_total{action="REJECT"}', ['flowlog_flows_total: action="REJECT"']),
        ('flowlog_flows_total{peer=~"internet|privat"}', ['flowlog_flows_total: peer="privat"']),
        ('flowlog_events_total{outcome="ok"}', ['flowlog_events_total: outcome="ok"']),
        ('flowlog_bytes_total{path!=""}', []),
        ("flowlog_daemon_process_resident_memory_bytes", []),
        ("flowlog_daemon_process_resident_memory", ["flowlog_daemon_process_resident_memory"]),
        ('process_cpu_second_total{job="x"}', ["process_cpu_second_total"]),
        ('flowlog_daemon_restarts_total{reason!="deid"}', ['flowlog_daemon_restarts_total: reason="deid"']),
    ],
)
def test_a_name_that_does_not_exist_is_found(text: str, expected: list[str]) -> None:
    assert expected == list(unknown_names(text))


def test_a_value_that_no_metric_has_is_found_in_a_sentence() -> None:
    assert ['port="of her"'] == list(unknown_values('All have `port="other"`, and not `port="of her"`.'))


def test_every_label_whose_values_the_product_chooses_has_its_table() -> None:
    """All others name things of the user: subnets, shards, accounts, tags, versions."""
    chosen = {"direction", "action", "protocol", "peer", "path", "interface_type", "port", "outcome", "reason"}
    chosen |= {"log_groups"}

    assert {(name, label) for name, labels in LABELS.items() for label in labels & chosen} == set(VALUES)


def test_the_names_of_series_are_those_of_the_page() -> None:
    """A counter's series ends in _total, and so on."""
    shown = {line.split("{")[0].split(" ")[0] for line in page(STATE).splitlines() if not line.startswith("#")}

    assert shown == {name for name in LABELS if any(name.startswith(metric) for metric in METRICS)}
