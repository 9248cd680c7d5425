"""The metrics page of the product, read as any Prometheus would.

`read` returns None as long as nobody answers; a page that can't be parsed
raises `ValueError`.
"""

from __future__ import annotations

import http.client
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kcl_flowlog.demo.truth import Key, Sums, Truth

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Page:
    """What the page says: the traffic in the form of a `Truth`, and how the instance does.

    `lag` is that of the worst shard, in seconds; None when no shard is held.
    `malformed` is bad data by its reason, and `last_record_at` is of each shard
    held, in Unix seconds.
    """

    counted: Truth = field(default_factory=Truth)
    shards_held: int = 0
    daemon_up: bool = False
    lag: float | None = None
    malformed: Counter[str] = field(default_factory=Counter)
    last_record_at: dict[str, float] = field(default_factory=dict)


def read(url: str, timeout: float = 5.0) -> Page | None:
    """Return the page at `url`, or None if it does not answer with one."""
    try:
        with _NO_PROXY.open(url, timeout=timeout) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException):  # URLError, timeouts and resets; an answer cut off by a death
        return None
    return parse(text)


def parse(text: str) -> Page:
    """Return what a page in Prometheus' text format says. Series that are 0 are as good as absent."""
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name].append((sample.labels, sample.value))
    return Page(
        counted=_counted(values),
        malformed=_by(values["flowlog_malformed_total"], "reason"),
        last_record_at={
            labels["shard_id"]: value for labels, value in values["flowlog_shard_last_record_timestamp_seconds"]
        },
        shards_held=int(sum(value for _, value in values["flowlog_shards_held"])),
        daemon_up=any(value == 1 for _, value in values["flowlog_daemon_up"]),
        lag=max((value for _, value in values["flowlog_shard_lag_seconds"]), default=None),
    )


def _counted(values: dict[str, list[tuple[dict[str, str], float]]]) -> Truth:
    counted = Truth()
    for unit in Sums._fields:
        for labels, value in values[f"flowlog_{unit}_total"]:
            key = Key(*(labels.get(name, "") for name in Key._fields))
            counted.add_traffic(key, Sums(**{unit: int(value)}))
    counted.events = _by(values["flowlog_events_total"], "outcome")
    counted.payloads = _by(values["flowlog_payloads_total"], "outcome")
    return counted


def _by(samples: list[tuple[dict[str, str], float]], label: str) -> Counter[str]:
    return Counter({labels[label]: int(value) for labels, value in samples if value})
