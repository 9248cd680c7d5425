"""Read the metrics page of the product, as a Prometheus server does.

`read` returns None if nobody answers. An invalid page raises `ValueError`.
"""

from __future__ import annotations

import http.client
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from kcl_flowlog.demo.tally import SeriesKey, Sums, Tally

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Page:
    """The figures of the page, and the state of the instance.

    `open_shards` is None if unknown. `lag` is the highest lag of a shard in seconds, or None if the instance holds
    no shard. `malformed` counts bad data by reason. `last_record_at` is in Unix
    seconds, by shard.
    """

    counted: Tally = field(default_factory=Tally)
    shards_held: int = 0
    daemon_up: bool = False
    lag: float | None = None
    malformed: Counter[str] = field(default_factory=Counter)
    last_record_at: dict[str, float] = field(default_factory=dict)
    open_shards: int | None = None


def read(url: str, timeout: float = 5.0) -> Page | None:
    """Return the page at `url`, or None if there is no answer or an HTTP error."""
    try:
        with _NO_PROXY.open(url, timeout=timeout) as answer:
            text = answer.read().decode()
    except (OSError, http.client.HTTPException):  # URLError, timeout, reset; an incomplete answer
        return None
    return parse(text)


def parse(text: str) -> Page:
    """Return the content of a page in Prometheus text format. A series with value 0 counts as absent."""
    from prometheus_client.parser import text_string_to_metric_families

    values: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name].append((sample.labels, sample.value))
    return Page(
        counted=_counted(values),
        malformed=_by_label(values["flowlog_malformed_total"], "reason"),
        last_record_at={
            labels["shard_id"]: value for labels, value in values["flowlog_shard_last_record_timestamp_seconds"]
        },
        shards_held=int(sum(value for _, value in values["flowlog_shards_held"])),
        open_shards=next((int(value) for _, value in values["flowlog_stream_open_shards"]), None),
        daemon_up=any(value == 1 for _, value in values["flowlog_daemon_up"]),
        lag=max((value for _, value in values["flowlog_shard_lag_seconds"]), default=None),
    )


def _counted(values: dict[str, list[tuple[dict[str, str], float]]]) -> Tally:
    counted = Tally()
    for unit in Sums._fields:
        for labels, value in values[f"flowlog_{unit}_total"]:
            key = SeriesKey(*(labels.get(name, "") for name in SeriesKey._fields))
            counted.add_traffic(key, Sums(**{unit: int(value)}))
    counted.events = _by_label(values["flowlog_events_total"], "outcome")
    counted.payloads = _by_label(values["flowlog_payloads_total"], "outcome")
    return counted


def _by_label(samples: list[tuple[dict[str, str], float]], label: str) -> Counter[str]:
    return Counter({labels[label]: int(value) for labels, value in samples if value})
