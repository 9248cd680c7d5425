"""The dashboards: what is committed is what the tables make, and follows the rules of a good dashboard."""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from kcl_flowlog.exporter.contract import METRICS
from ops.alerts import ALERTS
from ops.dashboards.table import FILES, TAG, dashboards
from ops.outputs import OPS
from ops.values import Values, read_values
from tests.support import grafana
from tests.support.label_values import LABELS, unknown_names

VALUES = read_values()
DASHBOARDS = {path: grafana.read_dashboard(path) for path in sorted(FILES.glob("*.json"))}
PANELS = [(dashboard, panel) for dashboard in DASHBOARDS.values() for panel in grafana.panels(dashboard)]
QUERIES = [(panel, expr) for dashboard in DASHBOARDS.values() for panel, expr in grafana.queries(dashboard)]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
UNITS = {"Bps", "bytes", "cps", "currencyUSD", "none", "percentunit", "pps", "s", "short"}
# Labels that queries make, and those of Prometheus and its alerts.
OTHER_LABELS = {"job", "instance", "le", "item", "alertname", "severity", "$tag"}
NOT_SHOWN = {
    "flowlog_shard_last_record_timestamp_seconds": "the lag tells more",
    "flowlog_inventory_last_success_timestamp_seconds": "each account and region has its own",
}
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=[path.stem for path in DASHBOARDS])


def made(values: Values) -> dict[Path, str]:
    build = pytest.importorskip(
        "ops.dashboards.build", reason="needs grafana-foundation-sdk, which needs Python 3.11", exc_type=ImportError
    )
    files: dict[Path, str] = build.dashboard_files(values)
    return files


def test_committed_files_are_those_that_the_tables_make() -> None:
    """After a change of ops/, `make rules` writes them."""
    assert {path: path.read_text(encoding="utf-8") for path in DASHBOARDS} == made(VALUES)


@each_dashboard
def test_a_dashboard_can_be_imported_and_provisioned_anywhere(dashboard: grafana.Json) -> None:
    """Classic model, no database id, no inputs that only an import resolves."""
    fixed = {"schemaVersion": 41, "editable": False, "refresh": "1m", "timezone": "browser", "tags": [TAG]}

    assert fixed == {key: dashboard[key] for key in fixed}
    assert set() == {"id", "__inputs", "__requires"} & set(dashboard)


def test_every_uid_is_unique_and_short_enough() -> None:
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]

    assert [f"kcl-flowlog-{path.stem}" for path in DASHBOARDS] == uids
    assert [] == [uid for uid in uids if len(uid) > 40]


@each_dashboard
def test_panels_have_an_id_and_a_title_of_their_kind(dashboard: grafana.Json) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    titles = [panel["title"] for panel in grafana.panels(dashboard)]

    assert (list(range(1, len(ids) + 1)), sorted(set(titles))) == (ids, sorted(titles))


@each_dashboard
def test_no_two_panels_overlap_and_no_line_has_a_gap(dashboard: grafana.Json) -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]
    height = max(y for _, y in cells) + 1

    assert sorted(itertools.product(range(24), range(height))) == sorted(cells)


FLAWS = {
    "an unknown unit": lambda panel: panel["fieldConfig"]["defaults"]["unit"] not in UNITS,
    "a description that is no sentence": lambda panel: not re.fullmatch(r"[A-Z0-9].*\.", panel["description"]),
    "a fixed data source": lambda panel: any(part["datasource"] != SOURCE for part in (panel, *panel["targets"])),
    "no query": lambda panel: not panel["targets"],
    "a series without a name": lambda panel: (
        panel["type"] in ("timeseries", "bargauge") and not all(target["legendFormat"] for target in panel["targets"])
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_no_panel_has_a_flaw(flaw: str) -> None:
    assert [] == [(dashboard["uid"], panel["title"]) for dashboard, panel in PANELS if FLAWS[flaw](panel)]


def test_windows_are_those_that_grafana_chooses() -> None:
    """A rate over $__rate_interval; a growth over $__range only if the panel shows a single moment."""
    windows = [(panel, window) for panel, expr in QUERIES for window in re.findall(r"\[([^]]*)\]", expr)]

    assert {"$__rate_interval", "$__range"} == {window for _, window in windows}
    assert [] == [panel["title"] for panel, window in windows if window == "$__range" and panel["type"] == "timeseries"]


def test_no_query_takes_the_rate_of_a_sum() -> None:
    assert [] == [expr for _, expr in QUERIES if re.search(r"(rate|increase)\(\s*(sum|max|min|count)\b", expr)]


def test_every_counter_is_shown_as_a_rate() -> None:
    """A total says nothing without its start; to count subnets, the series themselves are enough."""
    totals = r"(?<!rate\()(?<!increase\()\b(flowlog_\w+_total)\{"

    assert [] == [expr for _, expr in QUERIES if re.search(totals, expr) and not expr.startswith("count(sum by (sub")]


def test_every_query_is_about_the_chosen_fleet() -> None:
    selectors = [found for _, expr in QUERIES for found in re.findall(r"\b(?:flowlog_\w+|up|process_\w+)\b.{14}", expr)]

    assert [] == [found for found in selectors if not re.search(r'\w\{job="\$job"', found)]


def test_every_name_and_label_value_exists() -> None:
    texts = [expr for _, expr in QUERIES] + [
        str(variable["query"]) for dashboard in DASHBOARDS.values() for variable in grafana.variables(dashboard)
    ]

    assert [] == [name for text in texts for name in unknown_names(text)]


def test_every_label_of_a_sum_a_legend_and_a_column_exists() -> None:
    known = {label for labels in LABELS.values() for label in labels} | OTHER_LABELS
    grouped = [
        label
        for _, expr in QUERIES
        for found in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expr)
        for label in found.split(", ")
    ]
    named = [
        label
        for _, panel in PANELS
        for target in panel["targets"]
        for label in re.findall(r"{{(.+?)}}", target["legendFormat"])
    ]
    columns = [
        column.name
        for dashboard in dashboards(VALUES).values()
        for panel in dashboard.panels
        for column in panel.columns
        if not re.fullmatch(r"Value #[A-H]", column.name)
    ]

    assert set() == {*grouped, *named, *columns} - known


def test_every_metric_is_shown_in_a_dashboard() -> None:
    text = " ".join(expr for _, expr in QUERIES)
    shown = {name for name in METRICS if re.search(rf"\b{name}(_total|_info|_bucket)?\{{", text)}

    assert set(METRICS) - set(NOT_SHOWN) == shown


@each_dashboard
def test_every_variable_is_defined_and_used(dashboard: grafana.Json) -> None:
    defined = [variable["name"] for variable in grafana.variables(dashboard)]
    text = json.dumps([dashboard["panels"], dashboard["templating"]])
    used = set(re.findall(r"\$\{?(?!__)(\w+)", text))

    assert ("datasource", "job") == tuple(defined[:2])
    assert set(defined) == used


def test_every_alert_has_a_panel_that_links_its_runbook() -> None:
    links = {
        link["url"] for _, panel in PANELS for link in panel["links"] if re.fullmatch(r"Flowlog\w+", link["title"])
    }

    assert {f"{VALUES.runbooks}#{alert.name.lower()}" for alerts in ALERTS.values() for alert in alerts} == links


def test_dashboards_link_each_other_and_the_runbooks() -> None:
    for dashboard in DASHBOARDS.values():
        others, runbooks = dashboard["links"]

        assert (("dashboards", [TAG], True, True), VALUES.runbooks) == (
            (others["type"], others["tags"], others["includeVars"], others["keepTime"]),
            runbooks["url"],
        )


def test_a_link_to_a_dashboard_names_what_the_dashboard_has() -> None:
    variables = {board["uid"]: {entry["name"] for entry in grafana.variables(board)} for board in DASHBOARDS.values()}
    links = {
        (match[1], name)
        for _, panel in PANELS
        for match in re.finditer(r"/d/([\w-]+)\?([^\"]+)", json.dumps(panel["fieldConfig"]))
        for name in re.findall(r"var-(\w+)=", match[2])
    }

    assert links
    assert set() == {(uid, name) for uid, name in links if name not in variables[uid]}


def steps_of(values: Values, file: str, title: str) -> list[tuple[float | None, str]]:
    """Return the numbers and colours of a panel's thresholds."""
    dashboard = json.loads(made(values)[FILES / file])
    panel = next(panel for panel in grafana.panels(dashboard) if panel["title"] == title)
    return [(step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_thresholds_are_those_of_the_alerts() -> None:
    lag = VALUES.alerts["FlowlogLag"]
    higher = [level._replace(thresholds={"seconds": 3 * level.thresholds["seconds"]}) for level in lag]

    for levels, expected in (
        (lag, [(None, "green"), (300, "orange"), (1800, "red")]),
        (higher, [(None, "green"), (900, "orange"), (5400, "red")]),
        ([], [(None, "green")]),
    ):
        values = VALUES._replace(alerts={**VALUES.alerts, "FlowlogLag": levels})
        assert expected == steps_of(values, "pipeline.json", "Behind, by shard")


def test_a_lower_limit_is_coloured_below_it() -> None:
    assert [(None, "red"), (300, "green")] == steps_of(VALUES, "pipeline.json", "Life of the credentials")


def test_prices_are_those_of_the_values_file_and_name_their_source() -> None:
    cost = DASHBOARDS[FILES / "cost.json"]
    fields = {entry["name"]: entry for entry in grafana.variables(cost) if entry["type"] == "textbox"}

    for name, price in VALUES.dashboards.prices.items():
        field = fields[f"price_{name}"]
        assert (f"{price.usd_per_gib:g}", True, True) == (
            field["query"],
            "list price" in field["description"],
            price.source in field["description"],
        )


def test_provisioning_files_have_the_shape_that_grafana_reads() -> None:
    """Grafana has no checker for them."""
    folder = OPS / "grafana" / "provisioning"
    boards = yaml.safe_load((folder / "dashboards" / "kcl-flowlog.yml").read_text())
    sources = yaml.safe_load((folder / "datasources" / "kcl-flowlog.yml").read_text())
    (provider,), (source,) = boards["providers"], sources["datasources"]

    assert (1, 1) == (boards["apiVersion"], sources["apiVersion"])
    assert ("file", True) == (provider["type"], provider["options"]["path"].startswith("/"))
    assert ("prometheus", "proxy") == (source["type"], source["access"])
    assert re.fullmatch(r"https?://\S+", source["url"])
    assert re.fullmatch(r"\d+[smh]", source["jsonData"]["timeInterval"])


def test_the_mixin_has_the_dashboards() -> None:
    jsonnet = pytest.importorskip("_gojsonnet", reason="gojsonnet is not installed")
    program = f"(import '{OPS / 'mixin' / 'mixin.libsonnet'}').grafanaDashboards"

    assert {f"{board['uid']}.json": board for board in DASHBOARDS.values()} == json.loads(
        jsonnet.evaluate_snippet("test", program)
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11")
def test_the_command_writes_rules_and_dashboards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ops import __main__ as command

    monkeypatch.setattr(command, "outputs", lambda values: {tmp_path / "rules": "a"})
    monkeypatch.setattr("ops.dashboards.build.dashboard_files", lambda values: {tmp_path / "dashboard": "b"})
    monkeypatch.setattr(command, "chart_files", lambda files: {tmp_path / "chart": "+".join(files.values())})

    assert 0 == command.main()
    assert {"rules": "a", "dashboard": "b", "chart": "a+b"} == {
        path.name: path.read_text() for path in tmp_path.iterdir()
    }
