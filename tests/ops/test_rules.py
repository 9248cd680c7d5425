"""The rules for Prometheus: what is committed is what the tables make, and promtool accepts it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.alerts import ALERTS
from ops.outputs import OPS, outputs
from ops.recording import Rule, recording_rules
from ops.rules import alerting_groups
from ops.stories import HEALTH, TRUTH
from ops.traffic_stories import DAYS
from ops.values import VALUES, Values, ValuesError, read_values
from tests.support.examples import sample
from tests.support.label_values import LABELS, unknown_names
from tests.support.paths import ROOT
from tests.support.stretched import try_rules

PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
STORIES = (*TRUTH, *HEALTH, *DAYS)
NAMES = [alert.name for alerts in ALERTS.values() for alert in alerts]


@pytest.fixture(scope="module")
def values() -> Values:
    return read_values()


def alerting_rules(values: Values) -> list[dict[str, Any]]:
    return [rule for group in alerting_groups(values) for rule in group["rules"]]


def recorded(values: Values) -> list[Rule]:
    return [rule for rules in recording_rules(values).values() for rule in rules]


def test_generated_files_are_up_to_date(values: Values) -> None:
    """After a change of ops/, `make rules` writes them."""
    assert [] == [str(path) for path, text in outputs(values).items() if path.read_text(encoding="utf-8") != text]


@PROMTOOL
def test_promtool_accepts_the_rules() -> None:
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(OPS / "prometheus" / "rules.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (checked.returncode, checked.stderr)


@PROMTOOL
def test_the_second_day_of_a_fleet_is_not_compared_with_a_part_of_its_first_hour(tmp_path: Path) -> None:
    """A tenth more than yesterday, from the first minute that has a yesterday."""
    job = 'job="kcl-flowlog",instance="a"'
    rejects = f'flowlog_flows_total{{{job},subnet_id="s",direction="egress",action="reject"}}'
    series = {
        f'flowlog_events_total{{{job},outcome="counted"}}': "0+3000x330",
        rejects: "0+3000x288 867300+3300x42",
        f'flowlog_rejected_distinct_ports{{{job},subnet_id="s"}}': "0+50x12 600x276 660x42",
        f"up{{{job}}}": "1x330",
    }
    expectation = {"expr": 'ALERTS{alertstate="firing"}', "exp_samples": []}

    tested = try_rules(
        tmp_path,
        [{"series": name, "values": text} for name, text in series.items()],
        [{**expectation, "eval_time": f"{24 * 60 + minute}m"} for minute in range(5, 180, 5)],
    )

    assert (0, "") == (tested.returncode, tested.stderr)


@PROMTOOL
@pytest.mark.parametrize("name", sample(["hours", "days"]))
def test_each_story_fires_what_it_says_and_nothing_else(name: str) -> None:
    """Rules do what the stories in ops/ say, also in hours in which all is well."""
    command = ["promtool", "test", "rules", str(OPS / "prometheus" / f"{name}.test.yml")]
    tested = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (0, "") == (tested.returncode, tested.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_of_an_alert_fires_in_a_story_and_the_alert_does_not_in_another(name: str, values: Values) -> None:
    stories = [story for story in STORIES if story.alert == name]
    fired = {labels["severity"] for story in stories for labels in story.fires if "alertname" not in labels}

    assert ({level.severity for level in values.alerts[name]}, True) == (
        fired,
        any(not story.fires for story in stories) or name == "FlowlogAbsent",
    )


def test_every_name_and_label_value_of_the_rules_exists(values: Values) -> None:
    """A query about a series that does not exist is never wrong, and never right."""
    texts = [rule["expr"] for rule in [*recorded(values), *alerting_rules(values)]]

    assert [] == [name for text in texts for name in unknown_names(text)]


def test_every_recorded_series_that_a_rule_uses_is_recorded(values: Values) -> None:
    texts = [rule["expr"] for rule in [*recorded(values), *alerting_rules(values)]]
    used = {name for text in texts for name in re.findall(r"\bjob\w*:\w+:\w+", text)}

    assert {rule["record"] for rule in recorded(values)} == used


def test_every_label_that_a_rule_groups_by_exists(values: Values) -> None:
    known = {label for labels in LABELS.values() for label in labels} | {"job", "instance"}
    texts = [rule["expr"] for rule in [*recorded(values), *alerting_rules(values)]]
    grouped = {
        label for text in texts for found in re.findall(r"(?:by|on) \(([^)]*)\)", text) for label in found.split(", ")
    }

    assert set() == grouped - known


def test_every_label_in_a_description_exists(values: Values) -> None:
    known = {label for labels in LABELS.values() for label in labels} | {"job", "instance"}
    named = {label for rule in alerting_rules(values) for label in re.findall(r"\$labels\.(\w+)", str(rule))}

    assert set() == named - known


def test_the_mixin_has_the_rules_of_the_prometheus_file(values: Values) -> None:
    jsonnet = pytest.importorskip("_gojsonnet", reason="gojsonnet is not installed")
    program = f"""
      local mixin = import '{OPS / "mixin" / "mixin.libsonnet"}';
      mixin.prometheusRules.groups + mixin.prometheusAlerts.groups
    """

    made = json.loads(jsonnet.evaluate_snippet("test", program))

    assert yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text())["groups"] == made


def test_the_mixin_adds_labels_to_alerts() -> None:
    jsonnet = pytest.importorskip("_gojsonnet", reason="gojsonnet is not installed")
    program = f"""
      ((import '{OPS / "mixin" / "mixin.libsonnet"}') + {{ _config+:: {{ alertLabels: {{ team: 'net' }} }} }})
      .prometheusAlerts.groups[0].rules[0].labels
    """

    assert {"severity": "info", "team": "net"} == json.loads(jsonnet.evaluate_snippet("test", program))


def test_the_manifest_has_the_rules_of_the_prometheus_file() -> None:
    manifest = yaml.safe_load((OPS / "kubernetes" / "prometheusrule.yml").read_text())

    assert ("monitoring.coreos.com/v1", "PrometheusRule") == (manifest["apiVersion"], manifest["kind"])
    assert yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text()) == manifest["spec"]


def test_each_alert_has_a_runbook_with_four_answers() -> None:
    text = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (Flowlog\w+)\n(.*?)(?=^##|\Z)", text, re.DOTALL | re.MULTILINE))
    answers = {name: re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE) for name, section in sections.items()}

    assert {name: ["Meaning:", "Look:", "Do:", "Silence:"] for name in NAMES} == answers


MISTAKES = {
    "job: kcl-flowlog": (
        "jobs: kcl-flowlog",
        "must have exactly the keys job, runbooks, usual_days, dashboards, alerts",
    ),
    "usual_days: 7": ("usual_days: 0", "usual_days must be 1 or more"),
    "usual_days: 7 ": ("usual_days: seven", "usual_days must be of type int"),
    "step: 5m": ("step: 5 minutes", "dashboards: step must be a duration such as 5m, not 5 minutes"),
    "step: 5m ": ("steps: 5m", "dashboards must have exactly the keys step, tags, prices"),
    "tags: [team]": ("tags: []", "dashboards: tags must be the keys of at least one tag"),
    "nat_gateway:": ("nat:", "dashboards: prices must be exactly internet, cross_zone, cross_region, nat_gateway"),
    "usd_per_gib: 0.045": ("usd_per_gib: 4 cents", "the price nat_gateway: usd_per_gib must be of type float"),
    "usd_per_gib: 0.045,": ("", "the price nat_gateway must have exactly the keys usd_per_gib, region, source"),
    "seconds: 7200": ("seconds: 2h", "FlowlogInventoryStale: seconds must be a number, not 2h"),
    "seconds: 7200 ": ("hours: 2", "FlowlogInventoryStale needs exactly these thresholds: seconds"),
    "FlowlogPoison": ("FlowlogPoisoned", "each alert and no other; see FlowlogPoison, FlowlogPoisoned"),
    "severity: critical": ("severity: page", "severity must be one of info, warning, critical, not page"),
    "for: 15m": ("for: 15", "for must be a duration such as 15m, not 15"),
}


@pytest.mark.parametrize("right", MISTAKES)
def test_a_mistake_in_the_values_file_is_a_sentence(right: str, tmp_path: Path) -> None:
    wrong, sentence = MISTAKES[right]
    path = tmp_path / "values.yml"
    path.write_text(VALUES.read_text().replace(right.strip(), wrong))

    with pytest.raises(ValuesError, match=re.escape(sentence)):
        outputs(read_values(path))


@pytest.mark.parametrize("price", [0, 1])
def test_a_price_may_be_a_whole_number(price: int, tmp_path: Path) -> None:
    path = tmp_path / "values.yml"
    path.write_text(VALUES.read_text().replace("usd_per_gib: 0.045", f"usd_per_gib: {price}"))

    assert price == read_values(path).dashboards.prices["nat_gateway"].usd_per_gib


def test_an_alert_without_entries_has_no_rule(values: Values) -> None:
    fewer = values._replace(alerts={**values.alerts, "FlowlogLag": []})

    assert set(NAMES) - {"FlowlogLag"} == {rule["alert"] for rule in alerting_rules(fewer)}
