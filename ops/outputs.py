"""The generated files, as text: rules for Prometheus, a PrometheusRule, data of the mixin, promtool's unit tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from ops.alerts import ALERTS
from ops.rules import Group, alerting_groups, recording_groups
from ops.stories import HEALTH, JOB, TRUTH, Story, named
from ops.traffic_stories import DAYS
from ops.values import Values

OPS = Path(__file__).parent
_MADE = "# Made from ops/values.yml and the tables in ops/ by `make rules`; don't edit.\n"
# Alerts that select the job of the values file: each of their stories needs a Prometheus alone.
BOUND_TO_JOB = {alert.name for alerts in ALERTS.values() for alert in alerts if "<job>" in alert.expr}


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as blocks, and repeats what is the same instead of naming it."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def outputs(values: Values) -> dict[Path, str]:
    """Return each generated file with its content."""
    recording, alerting = recording_groups(values), alerting_groups(values)
    groups = [*recording, *alerting]
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "kcl-flowlog", "labels": {"app.kubernetes.io/name": "kcl-flowlog"}},
        "spec": {"groups": groups},
    }
    return {
        OPS / "prometheus" / "rules.yml": _yaml({"groups": groups}),
        OPS / "prometheus" / "hours.test.yml": _yaml(rule_tests(groups, "1m", _minute_tests(values))),
        OPS / "prometheus" / "days.test.yml": _yaml(rule_tests(groups, "10m", _day_tests(values))),
        OPS / "kubernetes" / "prometheusrule.yml": _yaml(manifest),
        OPS / "mixin" / "rules.json": _json({"groups": recording}),
        OPS / "mixin" / "alerts.json": _json({"groups": alerting}),
    }


def rule_tests(groups: list[Group], interval: str, tests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of a file of promtool's unit tests, which lies beside the rules."""
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "group_eval_order": [group["name"] for group in groups],
        "tests": tests,
    }


def _yaml(content: Any) -> str:
    return _MADE + yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _minute_tests(values: Values) -> list[dict[str, Any]]:
    stories = (*TRUTH, *HEALTH)
    return [
        _scene("hours", [story for story in stories if story.alert not in BOUND_TO_JOB], "1m", values),
        *(_scene(story.text, [story], "1m", values) for story in stories if story.alert in BOUND_TO_JOB),
    ]


def _day_tests(values: Values) -> list[dict[str, Any]]:
    ends = sorted({story.at for story in DAYS})
    return [_scene(f"until {at}", [story for story in DAYS if story.at == at], "5m", values) for at in ends]


def _scene(name: str, stories: list[Story], interval: str, values: Values) -> dict[str, Any]:
    """Return a test of several stories, each in its fleet: promtool takes most of its time for each test and step."""
    jobs = {values.job if story.alert in BOUND_TO_JOB else f"{story.alert}: {story.text}": story for story in stories}
    series = {} if values.job in jobs else {named("up").replace(JOB, values.job): "1x*"}
    for job, story in jobs.items():
        series |= {**{key.replace(JOB, job): text for key, text in story.series.items()}}
    samples = max(_minutes(story.at) for story in stories) // _minutes(interval)
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": key, "values": text.replace("x*", f"x{samples}")} for key, text in series.items()],
        "promql_expr_test": [_expectation(job, story) for job, story in jobs.items()],
    }


def _expectation(job: str, story: Story) -> dict[str, Any]:
    alerts = f'ALERTS{{alertstate="firing",job="{job}"}}'
    named = {"alertname": story.alert, "alertstate": "firing", "job": job}
    fired = [", ".join(f'{key}="{text}"' for key, text in {**named, **labels}.items()) for labels in story.fires]
    return {
        "expr": f"count_over_time({alerts}[{story.at}])" if story.ever else alerts,
        "eval_time": story.at,
        "exp_samples": [{"labels": f"ALERTS{{{labels}}}", "value": 1} for labels in fired],
    }


def _minutes(duration: str) -> int:
    return int(duration[:-1]) * {"m": 1, "h": 60}[duration[-1]]
