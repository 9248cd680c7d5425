"""The files that the daemon and its processors find at their start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.config import Config
from kcl_flowlog.inventory.stream import find_stream
from kcl_flowlog.inventory.way_out import WayOut
from kcl_flowlog.launcher.daemon_files import DaemonFiles
from kcl_flowlog.launcher.java_way_out import JavaWayOut
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.paths import ROOT

Written = Callable[..., tuple[ProcessorSettings, dict[str, str]]]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    with StateDirectory(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def written(state: StateDirectory) -> Written:
    """Write the files for some settings; return those of the processors, and the KCL's properties."""

    def write(position: str = "trim-horizon", **settings: Any) -> Any:
        config = Config(**{"stream": "flow-logs", **settings})
        stream = find_stream(config.stream, config.stream_role, "eu-west-1")
        way_out = JavaWayOut(WayOut({}), state.java_arguments, state.trust_store)
        DaemonFiles(config, state, stream, "eu-west-1", position, way_out, python="/usr/bin/python3").write(7)
        lines = state.properties.read_text().splitlines()
        properties = dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))
        return msgspec.json.decode(state.processor_settings.read_bytes(), type=ProcessorSettings), properties

    return write


def test_the_processors_get_their_settings(written: Written, state: StateDirectory) -> None:
    """Where everything is, and how to count."""
    settings, _ = written(
        flow_log_format=("${version}",),
        log_group=("/vpc/*", "!/vpc/test"),
        deduplicate=False,
        watched_ports=frozenset(("443", "22")),
        payload_limit=2048,
        checkpoint_interval=5.0,
        log_deny="ecs",
        log_deny_rate=20,
        log_deny_burst=300,
        max_subnets=12,
        max_unlisted_subnets=3,
    )

    assert settings == ProcessorSettings(
        generation=7,
        ledger=str(state.path / "ledger.sqlite3"),
        inventory=str(state.path / "inventory.packed"),
        attempts=str(state.path / "attempts"),
        messages=str(state.path / "messages.sock"),
        flow_log_formats=("${version}",),
        log_groups=("/vpc/*", "!/vpc/test"),
        deduplicate=False,
        watched_ports=("22", "443"),
        payload_limit=2048,
        checkpoint_interval=5.0,
        log_deny="ecs",
        log_deny_rate=20,
        log_deny_burst=300,
        max_subnets=12,
        max_unlisted_subnets=3,
        who=True,
    )


def test_the_kcl_gets_its_properties(written: Written, state: StateDirectory) -> None:
    """Each hole of the template is filled, in the KCL's own words and units."""
    _, properties = written(application="app", retrieval="fan-out", kcl_metrics="summary", shutdown_grace=1.5)

    expected = {
        "applicationName": "app",
        "streamName": "flow-logs",
        "regionName": "eu-west-1",
        "executableName": "env -u AWS_CONTAINER_CREDENTIALS_FULL_URI -u AWS_CONTAINER_AUTHORIZATION_TOKEN"
        " /usr/bin/python3 -m kcl_flowlog.processor",
        "AwsCredentialsProvider": "ContainerCredentialsProvider",
        "workerId": state.worker_id(),
        "retrievalMode": "FANOUT",
        "shutdownGraceMillis": "1500",
        "metricsLevel": "SUMMARY",
    }
    assert expected == {name: properties[name] for name in expected}


def test_a_role_is_for_kinesis_only(written: Written) -> None:
    """The KCL would take it for the leases, too, if it had no other."""
    role = "arn:aws:iam::222222222222:role/reader"

    _, properties = written(stream="arn:aws:kinesis:eu-west-1:222222222222:stream/theirs", stream_role=role)

    assert {
        "streamName": "theirs",
        "AwsCredentialsProvider": f"StsAssumeRoleCredentialsProvider|{role}|kcl-flowlog",
        "AwsCredentialsProviderDynamoDB": "ContainerCredentialsProvider",
        "AwsCredentialsProviderCloudWatch": "ContainerCredentialsProvider",
    } == {name: value for name, value in properties.items() if name == "streamName" or "Credentials" in name}


def test_polling_is_spelt_as_the_kcl_does(written: Written) -> None:
    """The KCL would ignore any other word."""
    _, properties = written(retrieval="polling")

    assert "POLLING" == properties["retrievalMode"]


def test_a_property_of_the_user_replaces_the_one_of_the_template(written: Written) -> None:
    """A property that the template does not have is added."""
    _, properties = written(kcl_property={"idleTimeBetweenReadsInMillis": "250", "maxRecords": "500"})

    assert ("250", "500") == (properties["idleTimeBetweenReadsInMillis"], properties["maxRecords"])


@pytest.mark.parametrize(
    ("position", "name", "value"),
    [
        ("trim-horizon", "initialPositionInStream", "TRIM_HORIZON"),
        ("1700000000", "initialPositionInStreamExtended", "1700000000"),
    ],
)
def test_the_initial_position_becomes_a_property(written: Written, position: str, name: str, value: str) -> None:
    """That of the application, not that of the settings: the oldest record by its name, any moment in Unix seconds."""
    _, properties = written(position)

    positions = {key: found for key, found in properties.items() if key.startswith("initialPosition")}
    assert {name: value} == positions


def test_the_logging_configuration_is_the_shipped_one(written: Written, state: StateDirectory) -> None:
    """As the launcher reads the log, users can't change it."""
    written()

    assert (ROOT / "properties" / "logback.xml").read_bytes() == state.logback.read_bytes()
