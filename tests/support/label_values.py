"""The values that each label of each metric can have, from the product's tables; and which of them a text names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector

from kcl_flowlog.commits.refusals import CHECKPOINT_OUTCOMES
from kcl_flowlog.config import settings
from kcl_flowlog.counting.flow_record import ACTIONS, DIRECTIONS, OTHER_PROTOCOL, PROTOCOL_NAMES
from kcl_flowlog.counting.interface_types import INTERFACE_TYPES
from kcl_flowlog.counting.outcomes import EVENT_OUTCOMES, MALFORMED_REASONS, PAYLOAD_OUTCOMES
from kcl_flowlog.counting.paths import PATHS
from kcl_flowlog.counting.peers import PEERS
from kcl_flowlog.exporter.collector import DAEMON_PROCESS_PREFIX
from kcl_flowlog.exporter.contract import LEGACY_METRICS, METRICS
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.identity import REFRESH_OUTCOMES as CREDENTIAL_OUTCOMES
from kcl_flowlog.inventory.keeper import REFRESH_OUTCOMES
from kcl_flowlog.launcher.supervisor import RESTART_REASONS
from kcl_flowlog.values import TRAFFIC_LABELS

_TRAFFIC = {
    "direction": set(DIRECTIONS.values()),
    "action": set(ACTIONS.values()),
    "protocol": {*PROTOCOL_NAMES.values(), OTHER_PROTOCOL},
    "peer": set(PEERS),
    "path": set(PATHS),
    "interface_type": set(INTERFACE_TYPES),
}
_TRAFFIC_METRICS = ("flowlog_flows_total", "flowlog_packets_total", "flowlog_bytes_total")
_WATCHED_PORTS = set((settings()["watched_ports"].default or "").replace(" ", "").split(","))

VALUES: dict[tuple[str, str], set[str]] = {
    **{(metric, label): values for metric in _TRAFFIC_METRICS for label, values in _TRAFFIC.items()},
    ("flowlog_rejected_port_flows_total", "direction"): _TRAFFIC["direction"],
    ("flowlog_rejected_port_flows_total", "protocol"): _TRAFFIC["protocol"],
    ("flowlog_rejected_port_flows_total", "port"): {*_WATCHED_PORTS, "other"},
    ("flowlog_events_total", "outcome"): set(EVENT_OUTCOMES),
    ("flowlog_payloads_total", "outcome"): set(PAYLOAD_OUTCOMES),
    ("flowlog_malformed_total", "reason"): set(MALFORMED_REASONS),
    ("flowlog_checkpoints_total", "outcome"): set(CHECKPOINT_OUTCOMES),
    ("flowlog_overlapping_flow_logs", "log_groups"): {"same", "different"},
    ("flowlog_flow_log_delivery_errors", "reason"): set(DELIVERY_ERRORS),
    ("flowlog_inventory_refreshes_total", "outcome"): set(REFRESH_OUTCOMES),
    ("flowlog_daemon_restarts_total", "reason"): set(RESTART_REASONS),
    ("flowlog_credentials_refreshes_total", "outcome"): set(CREDENTIAL_OUTCOMES),
}
"""The values of a label of a metric, for labels whose values the product chooses."""

_SUFFIXES = {"counter": ("_total",), "info": ("_info",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
LABELS = {
    name + suffix: {*definition.labels, *(TRAFFIC_LABELS if name + suffix in _TRAFFIC_METRICS else ())}
    for name, definition in METRICS.items()
    for suffix in _SUFFIXES[definition.kind]
}
"""The labels of each series, by the name that a query uses."""

# What Prometheus and the process collector add, and the tags that a user names.
_ANYWHERE = {"job", "instance", "le"}
_SELECTOR = re.compile(r"(?<![:\w])([a-z_]+)\{([^{}]*)\}")
_MATCHER = re.compile(r'([a-z0-9_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_NAME = re.compile(r"(?<![:\w])flowlog_[a-z_]*[a-z](?![\w:])")
_PROCESS = {
    sample.name for family in ProcessCollector(registry=CollectorRegistry()).collect() for sample in family.samples
}
_LEGACY = {f"{name}_total" for name in LEGACY_METRICS}
_OTHERS = {"up", *_PROCESS, *(f"{DAEMON_PROCESS_PREFIX}_{name}" for name in _PROCESS), *_LEGACY}


def unknown_names(text: str) -> Iterator[str]:
    """Yield each metric, label and label value of the text's queries that the product does not have."""
    for name in _NAME.findall(text):
        if name not in LABELS and name not in _OTHERS:
            yield name
    for metric, matchers in _SELECTOR.findall(text):
        if metric in LABELS:
            yield from _unknown_in_selector(metric, matchers)
        elif metric not in _OTHERS and _MATCHER.search(matchers):
            yield metric


def _unknown_in_selector(metric: str, matchers: str) -> Iterator[str]:
    for label, operator, text in _MATCHER.findall(matchers):
        if label not in LABELS[metric] | _ANYWHERE and not label.startswith("tag_"):
            yield f"{metric}: {label}"
        known = VALUES.get((metric, label))
        for value in text.split("|") if "~" in operator else [text]:
            # An empty value selects series without the label.
            if known is not None and value and value not in known:
                yield f'{metric}: {label}="{value}"'


def unknown_values(text: str) -> Iterator[str]:
    """Yield each `label="value"` of a text, whatever the metric, that no metric can have."""
    for label, operator, words in _MATCHER.findall(text):
        known = {value for (_, name), values in VALUES.items() if name == label for value in values}
        for value in words.split("|") if "~" in operator else [words]:
            if known and value not in known:
                yield f'{label}="{value}"'
