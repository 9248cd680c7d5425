"""The properties of the KCL: which a user may set, and how the file is written."""

from __future__ import annotations

import json
import string

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.kcl_properties import (
    LAUNCHER_PROPERTIES,
    USER_PROPERTIES,
    check_consumer,
    check_extra,
    endpoints,
    render,
)
from tests.support.paths import ROOT

TEMPLATE = (ROOT / "properties" / "kcl.properties").read_text(encoding="utf-8")
VALUES = {
    "application": "kcl-flowlog",
    "stream": "flow-logs",
    "stream_credentials": "ContainerCredentialsProvider",
    "region": "eu-central-1",
    "executable": "/usr/bin/python3 -m kcl_flowlog.processor",
    "credentials": "ContainerCredentialsProvider",
    "worker_id": "host-0123456789ab",
    "retrieval": "POLLING",
    "shutdown_grace": "30000",
    "kcl_metrics": "NONE",
    "initial_position": "initialPositionInStreamExtended = 1769860800",
}


def read(properties: str) -> dict[str, str]:
    """Return keys and values as Java reads them, for files such as this."""
    lines = [line.strip() for line in properties.splitlines()]
    pairs = [line.split("=", 1) for line in lines if line and not line.startswith(("#", "!"))]
    assert len({key.strip() for key, _ in pairs}) == len(pairs), "a key occurs twice"
    return {key.strip(): unescaped(value.strip()) for key, value in pairs}


def unescaped(value: str) -> str:
    # Java's escapes are those of a JSON string, except that JSON escapes quotes too.
    return str(json.loads('"' + value.replace('"', '\\"') + '"'))


def test_the_shipped_template_renders_to_the_launchers_values() -> None:
    """Every name is replaced, nothing else changes, and the KCL knows every key."""
    properties = read(render(TEMPLATE, VALUES, {}))
    assert {
        "applicationName": "kcl-flowlog",
        "streamName": "flow-logs",
        "regionName": "eu-central-1",
        "executableName": "/usr/bin/python3 -m kcl_flowlog.processor",
        "processingLanguage": "python",
        "AwsCredentialsProvider": "ContainerCredentialsProvider",
        "AwsCredentialsProviderDynamoDB": "ContainerCredentialsProvider",
        "AwsCredentialsProviderCloudWatch": "ContainerCredentialsProvider",
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
    } == properties
    assert properties.keys() <= USER_PROPERTIES | LAUNCHER_PROPERTIES.keys()


def test_the_template_has_the_names_that_the_launcher_replaces_and_no_other() -> None:
    """A name without a value would fail every start."""
    assert VALUES.keys() == {match["braced"] for match in string.Template.pattern.finditer(TEMPLATE)}


def test_a_key_of_the_template_that_the_kcl_does_not_know_is_an_error() -> None:
    """The KCL would ignore a misspelt key."""
    with pytest.raises(ConfigError, match="the KCL has no property 'retreivalMode'"):
        render("retreivalMode = POLLING\n", {}, {})


def test_a_property_of_the_user_replaces_the_template_s_line() -> None:
    """Instead of following it; a property that the template lacks is added."""
    properties = read(render(TEMPLATE, VALUES, {"idleTimeBetweenReadsInMillis": "250", "failoverTimeMillis": "5000"}))
    assert "250" == properties["idleTimeBetweenReadsInMillis"]
    assert "5000" == properties["failoverTimeMillis"]
    assert "30000" == properties["logWarningForTaskAfterMillis"]


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
def test_values_are_escaped_as_java_reads_them(value: str, written: str) -> None:
    """A properties file is Latin-1 with backslashes, and a value is a line."""
    rendered = render("workerId = ${worker_id}\n", {"worker_id": value}, {"tableName": value})
    assert f"workerId = {written}\ntableName = {written}\n" == rendered
    assert {"workerId": value, "tableName": value} == read(rendered)


def test_properties_of_the_kcl_can_be_set() -> None:
    """Each key that the KCL knows, and the launcher does not set, is accepted."""
    check_extra(USER_PROPERTIES)


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
        (
            "kinesisEndpoint",
            "--kcl-property: kcl-flowlog sets kinesisEndpoint itself; use AWS_ENDPOINT_URL_KINESIS.",
        ),
        (
            "AwsCredentialsProvider",
            "--kcl-property: kcl-flowlog sets AwsCredentialsProvider itself; use the credentials of the environment, or"
            " --stream-role.",
        ),
    ],
)
def test_a_property_that_can_not_be_set_is_an_error(key: str, sentence: str) -> None:
    """The KCL would ignore the key, or the launcher sets it."""
    with pytest.raises(ConfigError) as caught:
        check_extra([key])
    assert str(caught.value) == sentence


@pytest.mark.parametrize("key", sorted(LAUNCHER_PROPERTIES))
def test_a_property_that_the_launcher_sets_is_an_error(key: str) -> None:
    """Each of them, and none of them is also for users."""
    with pytest.raises(ConfigError, match=f"kcl-flowlog sets {key} itself"):
        check_extra([key])
    assert key not in USER_PROPERTIES


ARN = "arn:aws:kinesis:eu-west-1:222222222222:stream/flow-logs"
CONSUMER = "fanoutConfig.consumerArn"


@pytest.mark.parametrize(
    ("consumer", "arn"),
    [("", ARN), (f"{ARN}/consumer/mine:1", ARN), (f"{ARN}/consumer/mine:1", "")],
    ids=["no consumer", "of the stream", "of the name, as nothing tells the ARN"],
)
def test_a_consumer_of_the_stream_can_be_set(consumer: str, arn: str) -> None:
    """The stream's owner may have registered it."""
    check_consumer({CONSUMER: consumer} if consumer else {}, arn, "flow-logs")


@pytest.mark.parametrize(
    ("consumer", "arn", "sentence"),
    [
        (
            f"{ARN.replace('2', '3')}/consumer/mine:1",
            ARN,
            f"--kcl-property: {CONSUMER} names a consumer of {ARN.replace('2', '3')}, but --stream is {ARN}.",
        ),
        (
            f"{ARN}-2/consumer/mine:1",
            "",
            f"--kcl-property: {CONSUMER} names a consumer of {ARN}-2, but --stream is flow-logs.",
        ),
    ],
)
def test_a_consumer_of_another_stream_is_an_error(consumer: str, arn: str, sentence: str) -> None:
    """The KCL would read that stream, and keep leases for this."""
    with pytest.raises(ConfigError) as refused:
        check_consumer({CONSUMER: consumer}, arn, "flow-logs")

    assert sentence == str(refused.value)


def test_the_endpoint_of_cloudwatch_is_the_users() -> None:
    """The launcher has no part in it, but the daemon's way there matters."""
    assert ["http://localhost:1"] == endpoints(
        {"cloudWatchClient.endpointOverride": "http://localhost:1", "tableName": "a"}
    )
