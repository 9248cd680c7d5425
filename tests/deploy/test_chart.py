"""The Helm chart: its files are up to date, and what it renders is what an instance needs.

Without helm and kubernetes-validate, the tests of rendered files are skipped; docs/deploying.md says how to get both.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from kcl_flowlog import __version__, cli
from kcl_flowlog.config import settings
from kcl_flowlog.values import parse_peer
from ops.chart import CHART, FILES, OWN, SCHEMA, chart_files
from ops.outputs import OPS
from tests.support.stop_time import stop_time

OPERATOR = "monitoring.coreos.com/v1"
OPERATOR_KINDS: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "operator_kinds.yml").read_text())
VALUES = ("default", "irsa-tls", "minimal")
HELM = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not installed")
VALIDATE = pytest.mark.skipif(
    shutil.which("kubernetes-validate") is None, reason="kubernetes-validate is not installed"
)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)


def template(*arguments: str) -> subprocess.CompletedProcess[str]:
    # A helm that is built from source believes that it talks to an old Kubernetes.
    return helm("template", "flows", str(CHART), "--namespace", "metrics", "--kube-version", "1.33.0", *arguments)


@functools.cache
def text(values: str) -> str:
    """Return what the chart renders with a file of values."""
    done = template("-f", str(CHART / "ci" / f"{values}-values.yaml"))
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


def rendered(values: str, kind: str) -> list[dict[str, Any]]:
    return [each for each in yaml.load_all(text(values), yaml.CSafeLoader) if each and each["kind"] == kind]


def mistakes(manifest: dict[str, Any]) -> list[str]:
    """Return what the Prometheus Operator would not know of one of its kinds."""
    assert (OPERATOR, {"apiVersion", "kind", "metadata", "spec"}) == (manifest["apiVersion"], set(manifest))
    schema = OPERATOR_KINDS[manifest["kind"]]
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(manifest["spec"])
    ]


def pod(values: str) -> dict[str, Any]:
    (stateful_set,) = rendered(values, "StatefulSet")
    found: dict[str, Any] = stateful_set["spec"]["template"]["spec"]
    return found


def config(values: str) -> str:
    return str(rendered(values, "ConfigMap")[0]["data"]["kcl-flowlog.yml"])


def test_the_version_is_that_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert (__version__, __version__) == (chart["version"], chart["appVersion"])


def test_rules_dashboards_and_settings_are_up_to_date() -> None:
    """`make rules` writes them."""
    sources = [OPS / "prometheus" / "rules.yml", *(OPS / "grafana" / "dashboards").glob("*.json")]
    expected = chart_files({path: path.read_text(encoding="utf-8") for path in sources})

    assert expected == {path: path.read_text(encoding="utf-8") for path in [SCHEMA, *FILES.rglob("*.*")]}


def test_the_schema_knows_each_setting_but_those_of_the_chart() -> None:
    known = set(json.loads(SCHEMA.read_text())["properties"]["config"]["properties"])
    flags = {name: found.flag.removeprefix("--") for name, found in settings().items()}

    assert {flags[name] for name in OWN} == set(flags.values()) - known


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_helm_finds_nothing_to_complain_about(values: str) -> None:
    done = helm("lint", "--strict", str(CHART), "-f", str(CHART / "ci" / f"{values}-values.yaml"))

    assert 0 == done.returncode, done.stdout


@HELM
@VALIDATE
@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_knows_every_field(values: str, tmp_path: Path) -> None:
    """But those of the Prometheus Operator's kinds, which are not Kubernetes' own."""
    (tmp_path / "rendered.yaml").write_text(text(values))
    command = ["kubernetes-validate", "--strict", "--quiet", "--no-warn", str(tmp_path / "rendered.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_the_prometheus_operator_knows_every_field(values: str) -> None:
    """Of the monitor and of the rules."""
    found = [each for kind in OPERATOR_KINDS for each in rendered(values, kind)]

    assert [] == [mistake for each in found for mistake in mistakes(each)]
    assert len(found) == (0 if values == "minimal" else 2)


def test_the_prometheus_operator_knows_every_field_of_the_manifest() -> None:
    """Of the rules that are applied without the chart."""
    assert [] == mistakes(yaml.safe_load((OPS / "kubernetes" / "prometheusrule.yml").read_text()))


BROKEN = {
    "a misspelt field": ("PodMonitor", {"selector": {}, "podMetricsEndpoint": []}),
    "no selector": ("PodMonitor", {"podMetricsEndpoints": []}),
    "an invalid scheme": ("PodMonitor", {"selector": {}, "podMetricsEndpoints": [{"scheme": "ftp"}]}),
    "a number for a duration": ("PodMonitor", {"selector": {}, "podMetricsEndpoints": [{"interval": 30}]}),
    "a rule without an expression": ("PrometheusRule", {"groups": [{"name": "all", "rules": [{"alert": "Down"}]}]}),
    "an invalid duration": ("PrometheusRule", {"groups": [{"name": "all", "interval": "often"}]}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_in_a_kind_of_the_operator_is_found(name: str) -> None:
    kind, spec = BROKEN[name]

    assert mistakes({"apiVersion": OPERATOR, "kind": kind, "metadata": {"name": "x"}, "spec": spec})


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_a_pod_has_no_privileges(values: str) -> None:
    (container,) = pod(values)["containers"]

    assert (True, 65532, 65532) == tuple(
        pod(values)["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "fsGroup")
    )
    assert {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    } == container["securityContext"]
    assert not pod(values)["automountServiceAccountToken"]


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_a_pod_may_take_the_time_that_its_settings_promise(values: str) -> None:
    assert stop_time(yaml.safe_load(config(values))) == pod(values)["terminationGracePeriodSeconds"]


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_the_product_accepts_the_configuration(values: str, tmp_path: Path) -> None:
    """Every key; and the pod names the file."""
    path = tmp_path / "kcl-flowlog.yml"
    path.write_text(config(values))
    arguments = ["policy", "--config.file", str(path), "--account", "123456789012"]

    assert 0 == CliRunner().invoke(cli.cli, arguments, catch_exceptions=False).exit_code
    (container,) = pod(values)["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"{mounts['config']}/{path.name}" in [variable.get("value") for variable in container["env"]]
    assert yaml.safe_load(config(values))["state-dir"] == mounts["state"]


@HELM
@pytest.mark.parametrize(("values", "way"), [("default", "httpGet"), ("irsa-tls", "exec"), ("minimal", "httpGet")])
def test_probes_go_over_http_unless_it_has_tls_or_users(values: str, way: str) -> None:
    (container,) = pod(values)["containers"]
    probes = [container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]

    assert [True] * 3 == [way in probe for probe in probes]
    assert (way == "exec") == ("web.probes-without-auth: true" in config(values))


@HELM
@pytest.mark.parametrize(
    ("values", "peers"),
    [
        ("default", "dns+http://flows-kcl-flowlog:10514"),
        ("irsa-tls", "dns+https://kcl-flowlog:10514"),
        ("minimal", "dns+http://flows-kcl-flowlog:10514"),
    ],
)
def test_instances_ask_each_other_by_the_name_of_the_service(values: str, peers: str) -> None:
    """Unless it has TLS or users, which need more than a name."""
    found = yaml.safe_load(config(values))["peers"]
    (service,) = rendered(values, "Service")

    assert peers == found
    assert values == "irsa-tls" or found == f"dns+http://{service['metadata']['name']}:10514"
    assert parse_peer(found).is_dns


@HELM
@pytest.mark.parametrize(
    ("chosen", "peers"),
    [
        ("config.who=true", "dns+http://flows-kcl-flowlog:10514"),
        ("config.who=false", None),
        ("config.peers=http://10.0.1.4:10514", "http://10.0.1.4:10514"),
        ("config.peers=", None),
        ("webConfig.secretName=web", None),
    ],
)
def test_the_chart_guesses_no_peers_against_the_values(chosen: str, peers: str | None) -> None:
    """Nor without who; an empty value of peers is nobody."""
    done = template("-f", str(CHART / "ci" / "minimal-values.yaml"), "--set", chosen)
    (config_map,) = (each for each in yaml.safe_load_all(done.stdout) if each and each["kind"] == "ConfigMap")

    assert peers == yaml.safe_load(config_map["data"]["kcl-flowlog.yml"]).get("peers")


KINDS = {
    "default": {"PodMonitor": 1, "PrometheusRule": 1, "ServiceAccount": 1, "PodDisruptionBudget": 1, "ConfigMap": 5},
    "irsa-tls": {"PodMonitor": 1, "PrometheusRule": 1, "ServiceAccount": 1, "PodDisruptionBudget": 1, "ConfigMap": 1},
    "minimal": {"PodMonitor": 0, "PrometheusRule": 0, "ServiceAccount": 0, "PodDisruptionBudget": 0, "ConfigMap": 1},
}


@HELM
@pytest.mark.parametrize("values", VALUES)
def test_what_is_chosen_is_there(values: str) -> None:
    assert KINDS[values] == {kind: len(rendered(values, kind)) for kind in KINDS[values]}
    (stateful_set,) = rendered(values, "StatefulSet")
    assert (values != "minimal") == ("volumeClaimTemplates" in stateful_set["spec"])


@HELM
def test_the_monitor_selects_the_pods_under_the_job_of_the_rules() -> None:
    (monitor,), (service,), (stateful_set,) = (
        rendered("default", kind) for kind in ("PodMonitor", "Service", "StatefulSet")
    )
    labels = stateful_set["spec"]["template"]["metadata"]["labels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]

    assert "kcl-flowlog" == labels[monitor["spec"]["jobLabel"]]
    assert labels == monitor["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert {endpoint["port"]} == {port["name"] for port in pod("default")["containers"][0]["ports"]}
    assert ("None", stateful_set["spec"]["serviceName"]) == (service["spec"]["clusterIP"], service["metadata"]["name"])


@HELM
def test_rules_and_dashboards_arrive_whole() -> None:
    (rule,) = rendered("default", "PrometheusRule")
    maps = [each for each in rendered("default", "ConfigMap") if "grafana_dashboard" in each["metadata"]["labels"]]

    assert yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text()) == rule["spec"]
    assert {path.read_text() for path in (OPS / "grafana" / "dashboards").glob("*.json")} == {
        content.rstrip("\n") + "\n" for each in maps for content in each["data"].values()
    }


@HELM
def test_a_role_for_irsa_is_an_annotation() -> None:
    (account,) = rendered("irsa-tls", "ServiceAccount")

    assert {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/kcl-flowlog"} == (
        account["metadata"]["annotations"]
    )
    assert account["metadata"]["name"] == pod("irsa-tls")["serviceAccountName"]


MISTAKES = {
    "no stream": ("config.stream=", "Set config.stream to the name of the Kinesis stream."),
    "an unknown setting": ("config.strem=flow-logs", "strem"),
    "a setting of the chart": ("config.state-dir=/state", "state-dir"),
    "no duration": ("config.shutdown-grace=long", "shutdown-grace"),
}


@HELM
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_by_its_name(name: str) -> None:
    value, named = MISTAKES[name]
    done = template("-f", str(CHART / "ci" / "minimal-values.yaml"), "--set-string", value)

    assert 0 != done.returncode
    assert named in done.stderr
