"""The collector and its registry."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.state import InstanceState
from tests.support.exporter import STATE


def test_each_scrape_shows_the_state_of_that_moment() -> None:
    """Nothing of an earlier scrape remains."""
    states = iter([STATE, replace(STATE, totals=Totals([], [], {}, {}), daemon_up=False)])
    registry = metrics_registry(FlowlogCollector(lambda: next(states)))

    first, second = list(registry.collect()), list(registry.collect())

    assert [1, 0] == [
        sum(sample.value for family in scrape for sample in family.samples if sample.name == "flowlog_daemon_up")
        for scrape in (first, second)
    ]
    assert "flowlog_flows_total" not in {sample.name for family in second for sample in family.samples}


def test_the_state_is_read_by_a_scrape_only() -> None:
    """Registering does not read the ledger."""
    reads: list[int] = []

    def read_state() -> InstanceState:
        reads.append(1)
        return STATE

    registry = metrics_registry(FlowlogCollector(read_state))
    before = len(reads)
    list(registry.collect())

    assert (0, 1) == (before, len(reads))


def test_an_unreadable_state_fails_the_scrape() -> None:
    """A page without the counts would look like a reset."""

    def read_state() -> InstanceState:
        raise OSError("the ledger is gone")

    with pytest.raises(OSError, match="the ledger is gone"):
        list(metrics_registry(FlowlogCollector(read_state)).collect())


def test_process_metrics_are_of_the_launcher_and_the_daemon() -> None:
    """The daemon's have a prefix."""
    registry = metrics_registry(FlowlogCollector(lambda: STATE), lambda: os.getpid())

    names = {family.name for family in registry.collect()}

    assert {"process_resident_memory_bytes", "flowlog_daemon_process_resident_memory_bytes"} <= names


def test_without_a_daemon_there_are_no_process_metrics() -> None:
    """A replay's own memory is no result."""
    registry = metrics_registry(FlowlogCollector(lambda: STATE))

    assert [] == [family.name for family in registry.collect() if "process" in family.name]
