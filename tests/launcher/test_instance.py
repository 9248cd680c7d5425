"""A whole instance in this process: everything is real but AWS and Java."""

from __future__ import annotations

import contextlib
import http.client
import io
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kcl_flowlog import __version__
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError, FlowlogError
from kcl_flowlog.launcher import instance, java
from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.signals import StopRequests
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.support.log_records import fields
from tests.support.waiting import PATIENCE, eventually

FAKE_JAVA = """#!/bin/sh
trap 'exit 143' TERM
echo "INFO Scheduler Initialization complete. Starting worker loop.␞"
while :; do sleep 0.05; done
"""

SUBNETS = {"Subnets": [{"SubnetId": "subnet-a", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}]}


class FakeEc2:
    """An EC2 with one subnet."""

    def get_paginator(self, operation: str) -> FakeEc2:
        self.operation = operation
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [SUBNETS if self.operation == "describe_subnets" else {"NetworkInterfaces": [], "FlowLogs": []}]


class FakeDynamoDB:
    """Notes which leader's locks are released."""

    def __init__(self) -> None:
        self.released_in: list[str] = []

    def delete_item(self, **request: Any) -> None:
        self.released_in.append(request["TableName"])


class FakeAws:
    """An account with a stream."""

    region = "eu-west-1"

    def __init__(self, *_: object) -> None:
        self.dynamodb = FakeDynamoDB()
        self.checked: list[str] = []
        self.on_check: Callable[[], None] = lambda: None

    def check_stream(self, stream: str) -> None:
        self.checked.append(stream)
        self.on_check()
        if stream == "missing":
            raise ConfigError("There is no such stream.")

    def client(self, service: str, **_: Any) -> FakeDynamoDB:
        assert service == "dynamodb"
        return self.dynamodb

    def ec2(self, region: str, role: str) -> tuple[str, FakeEc2]:
        return "123456789010", FakeEc2()


class Host:
    """A machine on which an instance can run; `url` is known once the instance has started."""

    def __init__(self, directory: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.aws = FakeAws()
        self.state_dir = directory / "state"
        self.stop = StopRequests()
        self._caplog = caplog

    def run(self, stream: str = "flow-logs", **settings: Any) -> None:
        """Run an instance with these settings until its end."""
        config = Config(
            stream=stream,
            region="eu-west-1",
            state_dir=self.state_dir,
            web_listen_address=("127.0.0.1", 0),
            **{"shutdown_grace": 5.0, "final_scrape_timeout": 0.0, **settings},
        )
        instance.run(config, {"PATH": "/usr/bin:/bin"}, io.BytesIO(), self.stop)

    def run_until(self, is_done: Callable[[], bool], **settings: Any) -> None:
        """Run an instance until this is true, then request a stop."""

        was_done: list[bool] = []

        def watch() -> None:
            try:
                was_done.append(eventually(is_done))
            finally:
                self.stop.note(15)

        watcher = threading.Thread(target=watch)
        watcher.start()
        self.run(**settings)
        watcher.join()
        assert [True] == was_done

    @property
    def identity(self) -> Mapping[str, Any]:
        """The fields of the first log line, none before there is any."""
        return fields(self._caplog.records[0]) if self._caplog.records else {}

    @property
    def messages(self) -> list[str]:
        """The log so far."""
        return self._caplog.messages

    def page(self, path: str) -> tuple[int, str]:
        """Return status and body of a page; status 0 while nobody serves it."""
        if "metrics" not in self.identity:
            return 0, ""
        connection = http.client.HTTPConnection(urlsplit(self.identity["metrics"]).netloc, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        return self.page("/-/ready")[0] == 200


@pytest.fixture
def host(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Host:
    script = tmp_path / "java"
    script.write_text(FAKE_JAVA)
    script.chmod(0o755)
    made = Host(tmp_path, caplog)
    monkeypatch.setattr(instance, "Aws", lambda *_: made.aws)
    monkeypatch.setattr(java, "find_java", lambda *_: Java(str(script), "21.0.1"))
    monkeypatch.setattr(java, "find_jars", lambda: Jars(tmp_path, "3.1.3", "3.1.3-kcl"))
    # It would stay for the tests that follow.
    monkeypatch.setattr(instance, "become_subreaper", lambda: None)
    caplog.set_level("INFO")
    return made


def test_the_first_log_line_names_the_run(host: Host) -> None:
    """Version, stream, application, worker id, region, Java, KCL and address, each as a field."""
    host.run_until(host.is_ready, application="app")

    worker_id = (host.state_dir / "worker-id").read_text().strip()
    assert {
        "version": __version__,
        "stream": "flow-logs",
        "application": "app",
        "worker_id": worker_id,
        "region": "eu-west-1",
        "java": "21.0.1",
        "kcl": "3.1.3-kcl",
    } == {name: value for name, value in host.identity.items() if name != "metrics"}


def test_a_normal_day_is_a_few_lines_without_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """From the first start on an empty directory to the stop."""
    host.run_until(host.is_ready)

    assert {"INFO"} == {record.levelname for record in caplog.records}
    assert len(caplog.records) < 10


def test_the_pages_show_the_instance(host: Host) -> None:
    """Its daemon, its subnets and its versions, under the path that the user chose."""
    pages: list[str] = []

    def has_page() -> bool:
        if host.is_ready():
            pages.append(host.page("/counts")[1])
        return bool(pages)

    host.run_until(has_page, web_telemetry_path="/counts")

    assert "flowlog_daemon_up 1.0" in pages[0]
    assert 'subnet_id="subnet-a"' in pages[0]
    assert 'kcl="3.1.3-kcl"' in pages[0]
    assert "flowlog_daemon_process_" in pages[0]


def test_a_stop_leaves_nothing_running(host: Host) -> None:
    """No thread, no socket, no lock on the directory; the leader's lock is released at the start and at the end."""
    before = set(threading.enumerate())

    host.run_until(host.is_ready)

    assert eventually(lambda: set(threading.enumerate()) <= before)
    assert not (host.state_dir / "messages.sock").exists()
    with StateDirectory(host.state_dir):
        pass
    assert ["kcl-flowlog-CoordinatorState"] * 2 == host.aws.dynamodb.released_in


def test_the_users_names_of_the_tables_are_used(host: Host) -> None:
    """The KCL uses them, too."""
    host.run_until(host.is_ready, kcl_property={"coordinatorStateTableName": "coordinators"})

    assert {"coordinators"} == set(host.aws.dynamodb.released_in)


def test_a_stop_that_was_requested_early_starts_nothing(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Not even AWS is called; the end is orderly all the same."""
    host.stop.note(15)

    host.run()

    assert ([], ["Stopped before the start"]) == (host.aws.checked, caplog.messages)


def test_a_mistake_of_the_user_is_found_before_anything_is_logged(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The sentence stands alone on stderr."""
    with pytest.raises(ConfigError, match="no such stream"):
        host.run(stream="missing")

    assert [] == caplog.records


def test_an_unknown_field_of_a_format_is_a_warning(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """With the nearest known name, after the line that names the run."""
    host.run_until(host.is_ready, flow_log_format=("${version} ${interfce-id}",))

    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [{"field": "interfce-id", "nearest": "interface-id"}] == [fields(record) for record in warnings]
    assert "version" in host.identity


def test_a_damaged_ledger_is_set_aside_before_the_start(host: Host) -> None:
    """The instance starts with an empty ledger."""
    host.state_dir.mkdir()
    (host.state_dir / "ledger.sqlite3").write_bytes(b"no ledger" * 1000)

    host.aws.on_check = lambda: host.stop.note(15)
    host.run()

    assert 1 == len(list(host.state_dir.glob("ledger.sqlite3.broken-*Z")))
    Ledger(host.state_dir / "ledger.sqlite3").close()


def test_an_instance_waits_for_the_scrape_that_shows_its_last_counts(host: Host) -> None:
    """It was scraped before, so somebody is there to see them; the wait ends with the scrape, far before its time."""
    last_scrapes: list[int] = []

    def scrape_during_the_stop() -> None:
        assert eventually(lambda: "Stopping; waiting for the last checkpoints" in host.messages)
        # The first of them may have begun before the last checkpoints.
        while "Stopped" not in host.messages:
            with contextlib.suppress(OSError, http.client.HTTPException):
                last_scrapes.append(host.page("/metrics")[0])

    prometheus = threading.Thread(target=scrape_during_the_stop)

    def is_scraped() -> bool:
        return host.is_ready() and host.page("/metrics")[0] == 200

    prometheus.start()
    host.run_until(is_scraped, final_scrape_timeout=10 * PATIENCE)
    prometheus.join()

    assert 200 in last_scrapes


def test_an_instance_that_gives_up_leaves_nothing_running(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader's lock is released, and the directory is free."""

    def give_up(_: object) -> None:
        if host.aws.dynamodb.released_in:
            raise FlowlogError("given up")

    monkeypatch.setattr("kcl_flowlog.launcher.main_loop.Housekeeping.step", give_up)

    with pytest.raises(FlowlogError, match="given up"):
        host.run()

    assert 2 == len(host.aws.dynamodb.released_in)
    with StateDirectory(host.state_dir):
        pass
