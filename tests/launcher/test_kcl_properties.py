"""The properties of the KCL."""

import json
import string

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.kcl_properties import KNOWN, OWN, check_extra, render
from tests.support.paths import ROOT

TEMPLATE = (ROOT / "properties" / "kcl.properties").read_text(encoding="utf-8")
HOLES = {
    "application": "kcl-flowlog",
    "stream": "flow-logs",
    "region": "eu-central-1",
    "executable": "/usr/bin/python3 -m kcl_flowlog.processor",
    "worker_id": "host-0123456789ab",
    "retrieval": "POLLING",
    "shutdown_grace": "30000",
    "kcl_metrics": "NONE",
    "initial_position": "initialPositionInStreamExtended = 1769860800",
}


def read(properties):
    """Return keys and values, read as Java reads a properties file, as far as the KCL's is concerned."""
    lines = [line.strip() for line in properties.splitlines()]
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith(("#", "!"))]
    assert len({key.strip() for key, _ in pairs}) == len(pairs), "a key is there twice"
    return {key.strip(): unescaped(value.strip()) for key, value in pairs}


def unescaped(value):
    # Java's escapes are those of a JSON string, where a quote needs one more.
    return json.loads('"' + value.replace('"', '\\"') + '"')


def test_the_shipped_template_renders_to_what_the_launcher_decided():
    """Every hole is filled, nothing else is changed, and every key is one that the KCL knows."""
    properties = read(render(TEMPLATE, HOLES, {}))
    assert properties == {
        "applicationName": "kcl-flowlog",
        "streamName": "flow-logs",
        "regionName": "eu-central-1",
        "executableName": "/usr/bin/python3 -m kcl_flowlog.processor",
        "processingLanguage": "python",
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "workerId": "host-0123456789ab",
        "initialPositionInStreamExtended": "1769860800",
        "retrievalMode": "POLLING",
        "callProcessRecordsEvenForEmptyRecordList": "true",
        "idleTimeBetweenReadsInMillis": "1000",
        "shutdownGraceMillis": "30000",
        "logWarningForTaskAfterMillis": "30000",
        "disableWorkerMetrics": "true",
        "isGracefulLeaseHandoffEnabled": "false",
        "workerMetricsReporterFreqInMillis": "10000",
        "metricsLevel": "NONE",
    }
    assert properties.keys() <= KNOWN | OWN.keys()


def test_the_template_has_the_holes_that_are_filled_and_no_other():
    """A hole that nobody fills would stop every start."""
    assert {match["braced"] for match in string.Template.pattern.finditer(TEMPLATE)} == HOLES.keys()


def test_a_key_of_the_template_that_the_kcl_would_ignore_is_refused():
    """A misspelt key would just not work, so the launcher does not start with one."""
    with pytest.raises(ConfigError, match="the KCL has no property 'retreivalMode'"):
        render("retreivalMode = POLLING\n", {}, {})


def test_an_extra_property_takes_the_place_of_the_templates():
    """A user's property replaces the shipped line instead of standing beside it."""
    properties = read(render(TEMPLATE, HOLES, {"idleTimeBetweenReadsInMillis": "250", "failoverTimeMillis": "5000"}))
    assert properties["idleTimeBetweenReadsInMillis"] == "250"
    assert properties["failoverTimeMillis"] == "5000"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain-1.0_x", "plain-1.0_x"),
        ("http://127.0.0.1:4566/a=b", "http://127.0.0.1:4566/a=b"),
        ("C:\\python", "C:\\\\python"),
        ("größe", "gr\\u00f6\\u00dfe"),
        ("🌊", "\\ud83c\\udf0a"),
        ("two\nlines\r\tand a tab", "two\\u000alines\\u000d\\u0009and a tab"),
        ("\x7f", "\\u007f"),
    ],
)
def test_values_are_escaped_as_java_reads_them(value, written):
    """A properties file is Latin-1 with backslashes, and one value is one line."""
    rendered = render("workerId = ${worker_id}\n", {"worker_id": value}, {"tableName": value})
    assert rendered == f"workerId = {written}\ntableName = {written}\n"
    assert read(rendered) == {"workerId": value, "tableName": value}


def test_properties_of_the_kcl_can_be_set() -> None:
    """Each key that the KCL knows, and the launcher does not set, is accepted."""
    check_extra(KNOWN)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            "failoverTimeMilis",
            "--kcl-property: the KCL has no property 'failoverTimeMilis', and would ignore it;"
            " did you mean 'failoverTimeMillis'?",
        ),
        ("xyz", "--kcl-property: the KCL has no property 'xyz', and would ignore it."),
        ("streamName", "--kcl-property: kcl-flowlog sets streamName itself; use --stream."),
        ("workerId", "--kcl-property: kcl-flowlog sets workerId itself."),
        (
            "dynamoDBEndpoint",
            "--kcl-property: kcl-flowlog sets dynamoDBEndpoint itself; use AWS_ENDPOINT_URL_DYNAMODB.",
        ),
    ],
)
def test_a_property_that_can_not_be_set_is_an_error(key: str, sentence: str) -> None:
    """The KCL would ignore the key, or the launcher sets it."""
    with pytest.raises(ConfigError) as caught:
        check_extra([key])
    assert str(caught.value) == sentence


@pytest.mark.parametrize("key", sorted(OWN))
def test_what_the_launcher_sets_can_not_be_set_beside_it(key):
    """Every property of the launcher's own is refused."""
    with pytest.raises(ConfigError, match=f"kcl-flowlog sets {key} itself"):
        check_extra([key])
