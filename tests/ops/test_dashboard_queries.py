"""Every query of the dashboards against a real Prometheus that scrapes the product's page: none is empty.

Two fleets: one shows all labels and tags, the other what an instance shows by default.
"""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Iterator

import pytest

from kcl_flowlog.values import TRAFFIC_LABELS
from ops.dashboards.table import FILES
from ops.outputs import OPS
from tests.support import grafana
from tests.support.growing_fleet import UNLISTED, pages_of
from tests.support.prometheus import Prometheus, running_prometheus, served

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed (Debian: prometheus)"
)
NAMES = sorted(path.stem for path in FILES.glob("*.json"))
# What the default settings do not show.
NEEDS = re.compile(r"[Nn]eeds (--subnet-tags|.*`(path|.*interface_type)` in --traffic-labels)")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus has scraped each instance three times, and the rules have made an alert fire."""
    now = time.time()
    pages = {
        "/a": pages_of(1, TRAFFIC_LABELS, ("team",), now),
        "/b": pages_of(2, TRAFFIC_LABELS, ("team",), now),
        "/c": pages_of(3, ("protocol", "peer"), (), now),
    }
    rules = OPS / "prometheus" / "rules.yml"
    with (
        served(pages) as address,
        running_prometheus(
            tmp_path_factory.mktemp("prometheus"),
            {"all": {each: f"{address}/{each}" for each in "ab"}, "plain": {"c": f"{address}/c"}},
            rules,
        ) as running,
    ):
        is_ready = (
            "count(up == 1) == 3 and count(count_over_time(process_start_time_seconds[1h]) >= 3) == 3"
            ' and count(ALERTS{alertname="FlowlogUndecidedCommit",alertstate="firing"}) == 3'
        )
        running.wait_for(is_ready)
        yield running


def empty_queries(name: str, job: str, prometheus: Prometheus) -> list[tuple[str, str, str]]:
    """Return the panel, its description and the query for each query without a number."""
    dashboard = grafana.read_dashboard(FILES / f"{name}.json")
    values = {"job": job}
    for variable in grafana.variables(dashboard)[2:]:
        choices = grafana.options(variable, values, prometheus)
        values[variable["name"]] = variable.get("allValue") or min(choices)
    return [
        (panel["title"], panel["description"], expr)
        for panel, expr in grafana.queries(dashboard)
        if not any(
            math.isfinite(float(series["value"][1])) for series in prometheus.query(grafana.filled(expr, values))
        )
    ]


def test_no_query_is_empty(prometheus: Prometheus) -> None:
    assert {name: [] for name in NAMES} == {name: empty_queries(name, "all", prometheus) for name in NAMES}


def test_a_panel_that_is_empty_by_default_says_what_it_needs(prometheus: Prometheus) -> None:
    silent = {
        name: [
            (title, expr) for title, text, expr in empty_queries(name, "plain", prometheus) if not NEEDS.search(text)
        ]
        for name in NAMES
    }

    assert {name: [] for name in NAMES} == silent


CHOICES = {
    ("overview", "job"): {"all", "plain"},
    ("overview", "vpc"): {"vpc-1", "vpc-2"},
    ("overview", "tag"): {"tag_team"},
    ("subnet", "subnet"): {"subnet-a", "subnet-b", UNLISTED},
    ("pipeline", "instance"): {"a", "b"},
    ("cost", "price_nat_gateway"): {"0.045"},
}


def test_a_variable_offers_its_values(prometheus: Prometheus) -> None:
    offered = {
        (name, entry["name"]): set(grafana.options(entry, {"job": "all", "vpc": ".*"}, prometheus))
        for name in NAMES
        for entry in grafana.variables(grafana.read_dashboard(FILES / f"{name}.json"))
        if (name, entry["name"]) in CHOICES
    }

    assert CHOICES == offered


def sums(expr: str, label: str, prometheus: Prometheus, **values: str) -> dict[str, float]:
    """Return the numbers of a query by a label."""
    found = prometheus.query(grafana.filled(expr, {"job": "all", "vpc": ".*", **values}))
    return {series["metric"].get(label, ""): float(series["value"][1]) for series in found}


def expr_of(name: str, title: str, number: int = 0) -> str:
    """Return a query of a panel."""
    dashboard = grafana.read_dashboard(FILES / f"{name}.json")
    return [expr for panel, expr in grafana.queries(dashboard) if panel["title"] == title][number]


def test_a_chosen_vpc_leaves_the_others_out(prometheus: Prometheus) -> None:
    """Subnets that the inventory lacks stay, as nobody knows their VPC."""
    expr = expr_of("overview", "Subnets")

    assert {"subnet-a", UNLISTED} == set(sums(expr, "subnet_id", prometheus, vpc="vpc-1"))


def test_the_vpcs_and_the_rest_add_up(prometheus: Prometheus) -> None:
    by_vpc = sums(expr_of("overview", "Sent by VPC"), "vpc_id", prometheus)
    rest = sums(expr_of("overview", "Sent by VPC", 1), "", prometheus)

    assert ({"vpc-1", "vpc-2"}, 1) == (set(by_vpc), len(rest))
    # All subnets have the same traffic.
    assert by_vpc["vpc-1"] == pytest.approx(rest[""])


def test_names_are_added_without_counting_a_subnet_twice(prometheus: Prometheus) -> None:
    series = prometheus.query(grafana.filled(expr_of("overview", "Most rejected flows"), {"job": "all", "vpc": ".*"}))

    assert sorted([("subnet-a", 'web "a"'), ("subnet-b", ""), (UNLISTED, "")]) == sorted(
        (entry["metric"]["subnet_id"], entry["metric"].get("name", "")) for entry in series
    )


def test_what_two_items_select_costs_twice(prometheus: Prometheus) -> None:
    """A NAT gateway's traffic from another zone is processed, and crosses zones."""
    prices = {"price_internet": "1", "price_cross_zone": "1", "price_cross_region": "1", "price_nat_gateway": "1"}
    found = sums(expr_of("cost", "USD an hour, by kind"), "item", prometheus, **prices)

    # Series of equal size: a subnet has one to the internet, three with another zone, ten of its gateway.
    expected = {"internet": 1, "cross_zone": 3, "cross_region": 1, "nat_gateway": 10}
    assert expected == {item: round(usd / found["internet"]) for item, usd in found.items()}
