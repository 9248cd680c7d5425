"""The metrics that describe subnets: names and tags that anybody may have typed."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kcl_flowlog.counting.subnets import Inventory, Subnet
from kcl_flowlog.exporter.exposition import OPENMETRICS, TEXT
from kcl_flowlog.exporter.state import InstanceState
from tests.support.exporter import STATE, page, value

# What is typed, and what is shown.
HOSTILE = {
    'quote " and \\ backslash': 'quote " and \\ backslash',
    '"} 1\nflowlog_bytes_total{subnet_id="x': '"} 1\\u000aflowlog_bytes_total{subnet_id="x',
    "# HELP flowlog_bytes_total Lies.\r\n# EOF": "# HELP flowlog_bytes_total Lies.\\u000d\\u000a# EOF",
    "\u202egnp.exe \x9b2J \x1b[31m": "\\u202egnp.exe \\u009b2J \\u001b[31m",
    "größe 東京 🙂 %2D": "größe 東京 🙂 %2D",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "": "",
}


def state_of(*subnets: Subnet) -> InstanceState:
    return replace(STATE, inventory=Inventory(1.0, subnets))


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("typed", HOSTILE)
def test_a_hostile_name_is_only_a_value(typed: str, accept: str) -> None:
    """It ends no line, begins no sample and moves no cursor; a parser reads back what is shown."""
    subnet = Subnet("subnet-a", "vpc-1", "az1", "10.0.0.0/24", name=typed, vpc_name=typed, tags=(("team", typed),))
    parse = parse_openmetrics if accept == OPENMETRICS else parse_text

    text = page(state_of(subnet), accept, subnet_tags=("team",))

    found = {family.name: family.samples for family in parse(text)}
    (info,), (tags,) = found["flowlog_subnet_info"], found["flowlog_subnet_tags"]
    assert [HOSTILE[typed]] * 3 == [info.labels["name"], info.labels["vpc_name"], tags.labels["tag_team"]]
    assert {"subnet_id": "subnet-a", "tag_team": HOSTILE[typed]} == tags.labels
    assert text.replace("\n", "").isprintable()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_reads_a_page_of_hostile_names() -> None:
    """Prometheus' own parser, and its linter."""
    subnets = [
        Subnet(f"subnet-{number}", "vpc-1", "az1", "10.0.0.0/24", name=typed, tags=(("Größe/Team", typed),))
        for number, typed in enumerate(HOSTILE)
    ]
    text = page(state_of(*subnets), subnet_tags=("Größe/Team",))

    linted = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)

    assert (0, "", "") == (linted.returncode, linted.stdout, linted.stderr)


def test_a_subnet_without_the_tag_has_a_series_too() -> None:
    """So that a join does not lose its traffic."""
    tagged = Subnet("subnet-a", "vpc-1", "az1", "10.0.0.0/24", tags=(("Team", "net"), ("other", "x")))
    state = state_of(tagged, Subnet("subnet-b", "vpc-1", "az1", "10.0.1.0/24"))

    assert [1, 1] == [
        value(state, "flowlog_subnet_tags", labels, subnet_tags=("Team", "stage"))
        for labels in (
            {"subnet_id": "subnet-a", "tag_team": "net", "tag_stage": ""},
            {"subnet_id": "subnet-b", "tag_team": "", "tag_stage": ""},
        )
    ]


def test_without_the_setting_there_are_no_tags() -> None:
    """The metric is on the page, without a series."""
    text = page(STATE, subnet_tags=())

    assert "# TYPE flowlog_subnet_tags gauge\n" in text
    assert "\nflowlog_subnet_tags{" not in text
