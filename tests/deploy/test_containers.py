"""Compose and the task definition of ECS: settings that exist, time to stop, a health check, a place for the state."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from kcl_flowlog.config import settings
from kcl_flowlog.values import parse_duration
from ops.values import read_values
from tests.support.paths import ROOT
from tests.support.stop_time import stop_time

COMPOSE = ROOT / "deploy" / "compose"
PAGE = (ROOT / "docs" / "deploying.md").read_text()
SERVICES = yaml.safe_load((COMPOSE / "compose.yml").read_text())["services"]
TASK: dict[str, Any] = json.loads((ROOT / "deploy" / "ecs" / "task-definition.json").read_text())
(CONTAINER,) = TASK["containerDefinitions"]
STATE = settings()["state_dir"].default
PORT = int(str(settings()["web_listen_address"].default).rpartition(":")[2])
VARIABLES = {found.variable for found in settings().values()}
# What Fargate allows at most, in seconds.
LONGEST_STOP = 120


def test_compose_waits_for_a_stop_in_order() -> None:
    assert stop_time() <= parse_duration(SERVICES["kcl-flowlog"]["stop_grace_period"])


def test_compose_keeps_the_state_and_nothing_else_is_written() -> None:
    service = SERVICES["kcl-flowlog"]

    assert [f"state:{STATE}"] == service["volumes"]
    assert (True, ["ALL"]) == (service["read_only"], service["cap_drop"])


def test_the_command_of_docker_does_what_compose_does() -> None:
    """As docs/deploying.md prints it."""
    (command,) = re.findall(r"^docker run --detach (.*)(?:\n|$)", PAGE.replace(" \\\n", " "), re.MULTILINE)
    options = shlex.split(command)

    assert {"--read-only", "--tmpfs", "--cap-drop"} <= set(options)
    assert stop_time() <= float(options[options.index("--stop-timeout") + 1])
    assert options[options.index("--volume") + 1].endswith(f":{STATE}")
    assert SERVICES["kcl-flowlog"]["ports"] == [options[options.index("--publish") + 1]]
    assert "deploy/compose/aws.env" == options[options.index("--env-file") + 1]


def test_compose_names_variables_that_exist() -> None:
    named = set(re.findall(r"KCL_FLOWLOG_\w+(?==)", (COMPOSE / "aws.env.example").read_text()))

    assert {"KCL_FLOWLOG_STREAM", "KCL_FLOWLOG_REGION"} == named & VARIABLES == named


def test_prometheus_scrapes_the_instance_under_the_job_of_the_rules() -> None:
    mounted = [volume.split(":") for volume in SERVICES["prometheus"]["volumes"]]
    files = {target: COMPOSE / source for source, target, *_ in mounted if source.startswith(".")}
    config = yaml.safe_load(files["/etc/prometheus/prometheus.yml"].read_text())
    (scrape,) = config["scrape_configs"]

    assert (read_values().job, [f"kcl-flowlog:{PORT}"]) == (
        scrape["job_name"],
        scrape["static_configs"][0]["targets"],
    )
    assert [ROOT / "ops" / "prometheus" / "rules.yml"] == [files[path].resolve() for path in config["rule_files"]]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_accepts_the_scrape_configuration() -> None:
    command = ["promtool", "check", "config", "--syntax-only", str(COMPOSE / "prometheus.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == checked.returncode, checked.stderr


def test_a_task_has_the_time_to_stop_that_fargate_allows() -> None:
    assert stop_time() <= CONTAINER["stopTimeout"] <= LONGEST_STOP


def test_a_task_asks_itself_whether_it_is_healthy() -> None:
    assert ["CMD", "kcl-flowlog", "healthcheck"] == CONTAINER["healthCheck"]["command"]


def test_a_task_names_variables_that_exist() -> None:
    named = {variable["name"] for variable in CONTAINER["environment"]}

    assert {"KCL_FLOWLOG_STREAM", "KCL_FLOWLOG_REGION"} == named & VARIABLES == named - {"TMPDIR"}


def test_a_task_writes_to_its_volume_only() -> None:
    """Also temporary files: on Fargate, /tmp is read-only then."""
    (mount,) = CONTAINER["mountPoints"]

    assert (True, "65532:65532", STATE) == (
        CONTAINER["readonlyRootFilesystem"],
        CONTAINER["user"],
        mount["containerPath"],
    )
    assert {"name": "TMPDIR", "value": STATE} in CONTAINER["environment"]
    assert [mount["sourceVolume"]] == [volume["name"] for volume in TASK["volumes"]]


def test_a_task_tells_prometheus_its_port_and_job() -> None:
    assert [PORT] == [mapping["containerPort"] for mapping in CONTAINER["portMappings"]]
    assert {"PROMETHEUS_EXPORTER_PORT": str(PORT), "PROMETHEUS_EXPORTER_JOB_NAME": read_values().job} == (
        CONTAINER["dockerLabels"]
    )
