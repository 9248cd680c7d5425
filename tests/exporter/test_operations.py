"""The metrics about the instance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting import outcomes
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.state import InstanceState
from tests.support.exporter import STATE, page, value

EMPTY = InstanceState(Totals([], [], {}, {}), Inventory())


@pytest.mark.parametrize(
    ("name", "label", "values"),
    [
        ("flowlog_events_total", "outcome", outcomes.EVENT_OUTCOMES),
        ("flowlog_payloads_total", "outcome", outcomes.PAYLOAD_OUTCOMES),
        ("flowlog_malformed_total", "reason", outcomes.MALFORMED_REASONS),
        ("flowlog_checkpoints_total", "outcome", CHECKPOINT_OUTCOMES),
        ("flowlog_overlapping_flow_logs", "log_groups", ("same", "different")),
    ],
)
def test_every_value_of_a_label_shows_from_the_start(name: str, label: str, values: tuple[str, ...]) -> None:
    """It shows 0, so that `increase()` sees the first count."""
    assert {0} == {value(EMPTY, name, {label: word}) for word in values}


@pytest.mark.parametrize(
    "name",
    [
        "flowlog_undecided_commits_total",
        "flowlog_dead_letters_total",
        "flowlog_dead_letters_dropped_total",
        "flowlog_event_delay_seconds_count",
        "flowlog_event_delay_seconds_sum",
        "flowlog_batch_duration_seconds_count",
        "flowlog_shards_held",
        "flowlog_daemon_up",
        "flowlog_inventory_subnets",
        "flowlog_inventory_last_success_timestamp_seconds",
    ],
)
def test_metrics_without_labels_show_from_the_start(name: str) -> None:
    """They show 0."""
    assert 0 == value(EMPTY, name, {})


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("flowlog_stream_open_shards", {}, 21),
        ("flowlog_state_filesystem_size_bytes", {}, 2**30),
        ("flowlog_state_filesystem_available_bytes", {}, 2**26),
        ("flowlog_subnets_without_flow_logs", {}, 20),
        ("flowlog_flow_log_delivery_errors", {"reason": "access_error"}, 0),
        ("flowlog_flow_log_delivery_errors", {"reason": "rate_limited"}, 18),
    ],
)
def test_what_aws_or_the_system_does_not_tell_is_absent(name: str, labels: dict[str, str], expected: int) -> None:
    """A 0 would say that all is well."""
    assert (expected, None) == (value(STATE, name, labels), value(EMPTY, name, labels))


def test_a_shard_without_a_lag_shows_none() -> None:
    """A lag of 0 is shown; an unknown lag is not."""
    shards = [f"shardId-00000000000{number}" for number in range(3)]

    assert [0, None, 1.5] == [value(STATE, "flowlog_shard_lag_seconds", {"shard_id": shard}) for shard in shards]


def test_a_time_that_has_not_come_is_not_shown() -> None:
    """A timestamp of 0 would look like a delay of decades."""
    labels = {"shard_id": "shardId-000000000001"}

    assert value(STATE, "flowlog_shard_last_checkpoint_timestamp_seconds", labels) is None
    assert value(STATE, "flowlog_shard_last_record_timestamp_seconds", labels) is None


def test_gauges_of_a_shard_end_with_its_lease() -> None:
    """A lost lease leaves no frozen figures behind."""
    without = replace(STATE, shards=[])

    assert "shardId-" not in page(without)
    assert 0 == value(without, "flowlog_shards_held", {})


def test_a_source_that_was_never_read_shows_0() -> None:
    """An alert on the age of the last success fires for it, too."""
    labels = {"account_id": "", "region": "eu-west-1"}

    assert 0 == value(STATE, "flowlog_inventory_source_last_success_timestamp_seconds", labels)
