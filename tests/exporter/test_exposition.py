"""The page of the metrics, in the form asked for."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kcl_flowlog.exporter.exposition import OPENMETRICS, TEXT, negotiate, renderer

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture
def registry():
    """Two series, one of them a counter."""
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
        ("application/openmetrics-text;q=x", TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.3", TEXT),
        ("text/plain;q=0.2,application/openmetrics-text;q=0.3", OPENMETRICS),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=0.5,text/*;q=0.6,*/*;q=0.1", TEXT),
    ],
)
def test_a_scraper_gets_the_form_it_likes_best_of_the_two(accept, content_type):
    """OpenMetrics is for who names version 1 or newer of it with no less weight than text; all others get text."""
    assert content_type == negotiate(accept)


@pytest.mark.parametrize(
    ("accept", "parse", "end"), [("*/*", parse_text, ""), (PROMETHEUS_3, parse_openmetrics, "# EOF\n")]
)
def test_a_page_is_what_its_content_type_says(registry, accept, parse, end):
    """A parser of the form that was negotiated reads the counts back."""
    _, page = renderer(registry)(accept, {})

    samples = {s.name: s.value for family in parse(page.decode()) for s in family.samples}
    assert samples.items() >= {"flowlog_flows_total": 3.0, "flowlog_shards_held": 2.0}.items()
    assert page.decode().endswith(end)


def test_openmetrics_2_is_answered_with_1_and_says_so(registry):
    """Who asks for a version that is not there gets the newest there is, under its true name."""
    render = renderer(registry)

    assert render("application/openmetrics-text;version=1.0.0", {}) == render(
        "application/openmetrics-text;version=2.0.0", {}
    )
    assert OPENMETRICS == render("application/openmetrics-text;version=2.0.0", {})[0]


@pytest.mark.parametrize("accept", ["*/*", PROMETHEUS_3])
def test_name_restricts_the_page_to_the_series_named(registry, accept):
    """With name[] nothing is on the page but what was named."""
    _, page = renderer(registry)(accept, {"name[]": ["flowlog_shards_held"]})

    samples = [line for line in page.decode().splitlines() if not line.startswith("#")]
    assert ["flowlog_shards_held 2.0"] == samples
