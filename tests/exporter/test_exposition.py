"""The metrics page in the format that the scraper accepts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from kcl_flowlog.exporter.exposition import OPENMETRICS, TEXT, negotiate, renderer

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def registry() -> CollectorRegistry:
    """A counter and a gauge."""
    registry = CollectorRegistry()
    Counter("flowlog_flows", "Flows.", registry=registry).inc(3)
    Gauge("flowlog_shards_held", "Shards.", registry=registry).set(2)
    return registry


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        ("text/plain", TEXT),
        ("image/png", TEXT),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text;version=2.0.0", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=x", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=0.5", OPENMETRICS),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.5", OPENMETRICS),
        ("application/openmetrics-text,text/plain;q=7", OPENMETRICS),
        (",application/openmetrics-text,", OPENMETRICS),
        ("application/openmetrics-text;q=x", TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.3", TEXT),
        ("text/plain;q=0.2,application/openmetrics-text;q=0.3", OPENMETRICS),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=0.5,text/*;q=0.6,*/*;q=0.1", TEXT),
    ],
)
def test_openmetrics_needs_at_least_the_weight_of_text(accept: str, content_type: str) -> None:
    """OpenMetrics is for a scraper that names version 1 or newer; all others get text."""
    assert content_type == negotiate(accept)


@pytest.mark.parametrize(
    ("accept", "parse", "end"), [("*/*", parse_text, ""), (PROMETHEUS_3, parse_openmetrics, "# EOF\n")]
)
def test_a_page_has_the_format_of_its_content_type(
    registry: CollectorRegistry, accept: str, parse: Callable[[str], Iterable[Metric]], end: str
) -> None:
    """A parser of that format reads the values back."""
    _, parts = renderer(registry)(accept, {})

    page = b"".join(parts).decode()
    samples = {sample.name: sample.value for family in parse(page) for sample in family.samples}
    assert (3.0, 2.0) == (samples["flowlog_flows_total"], samples["flowlog_shards_held"])
    assert page.endswith(end)


def test_a_request_for_openmetrics_2_gets_version_1(registry: CollectorRegistry) -> None:
    """The content type names the version of the page, not of the request."""
    render = renderer(registry)

    assert render("application/openmetrics-text;version=1.0.0", {}) == render(
        "application/openmetrics-text;version=2.0.0", {}
    )
    assert OPENMETRICS == render("application/openmetrics-text;version=2.0.0", {})[0]


@pytest.mark.parametrize("accept", ["*/*", PROMETHEUS_3])
def test_name_selects_series(registry: CollectorRegistry, accept: str) -> None:
    """With name[] the page has only the series of those names."""
    _, parts = renderer(registry)(accept, {"name[]": ["flowlog_shards_held"]})

    page = b"".join(parts).decode()
    samples = [line for line in page.splitlines() if not line.startswith("#")]
    assert ["flowlog_shards_held 2.0"] == samples


class Watching:
    """A collector that notes whether Python looks for cycles, and may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.seen: list[bool] = []

    def collect(self) -> Iterable[Metric]:
        self.seen.append(gc.isenabled())
        if self.failure is not None:
            raise self.failure
        return []

    def describe(self) -> Iterable[Metric]:
        return []


@pytest.mark.parametrize("failure", [None, OSError("gone")])
def test_python_looks_for_no_cycles_while_a_page_is_made(failure: Exception | None) -> None:
    """A fifth of the time of a large page. It goes on looking afterwards, whatever happens."""
    registry, collector = CollectorRegistry(), Watching(failure)
    registry.register(cast(Collector, collector))

    with pytest.raises(OSError, match="gone") if failure else nullcontext():
        renderer(registry)("", {})

    assert [False] == collector.seen
    assert gc.isenabled()
