"""A machine on which a whole instance runs in the process of the test: everything is real but AWS and Java."""

from __future__ import annotations

import http.client
import io
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from kcl_flowlog.config import Config
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import StreamIdentity
from kcl_flowlog.inventory.stream import Stream
from kcl_flowlog.inventory.way_out import WayOut
from kcl_flowlog.launcher import instance, java
from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.signals import StopRequests
from tests.support.credential_sources import static_identity
from tests.support.log_records import fields
from tests.support.waiting import PATIENCE, eventually

# Stops on SIGTERM, as the daemon does.
JAVA = """#!/bin/sh
trap 'exit 143' TERM
{says}
while :; do sleep 0.05; done
"""

READY = "echo 'INFO Scheduler Initialization complete. Starting worker loop.␞'"

SUBNET = {
    "SubnetId": "subnet-a",
    "VpcId": "vpc-1",
    "CidrBlock": "10.0.1.0/24",
    "Tags": [{"Key": "Team", "Value": "net"}],
}
PAGE = {
    "Subnets": [SUBNET],
    "Vpcs": [{"VpcId": "vpc-1", "Tags": [{"Key": "Name", "Value": "shop"}]}],
    "NetworkInterfaces": [],
    "FlowLogs": [],
}


class FakeEc2:
    """An EC2 with one subnet, in which every interface is found that is looked up."""

    def __init__(self) -> None:
        self.looked_up: list[list[str]] = []

    def get_paginator(self, _: str) -> FakeEc2:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        ids = [value for each in request.get("Filters", ()) for value in each["Values"]]
        if ids:
            self.looked_up.append(ids)
        found = [{"NetworkInterfaceId": value, "SubnetId": "subnet-a", "VpcId": "vpc-1"} for value in ids]
        return [{**PAGE, "NetworkInterfaces": found}]


class FakeDynamoDB:
    """Notes which leader's locks are released, and keeps items; every condition is met, and no worker has leases."""

    def __init__(self) -> None:
        self.released_in: list[str] = []
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.claimed_rows: list[dict[str, Any]] = []
        """The items of the lease table that have claims."""

    def get_item(self, **request: Any) -> dict[str, Any]:
        ((_, key),) = request["Key"].items()
        item = self.items.get((request["TableName"], key["S"]))
        return {"Item": item} if item is not None else {}

    def put_item(self, **request: Any) -> None:
        self.items[request["TableName"], request["Item"]["key"]["S"]] = request["Item"]

    def get_paginator(self, operation: str) -> FakeDynamoDB:
        assert operation == "scan"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"Items": self.claimed_rows if "attribute_exists" in request["FilterExpression"] else []}]

    def delete_item(self, **request: Any) -> None:
        key = request["Key"]["key"]["S"]
        if key == "Leader":
            self.released_in.append(request["TableName"])
        else:
            self.items.pop((request["TableName"], key), None)


class FakeAws:
    """An account with a stream."""

    region = "eu-west-1"

    def __init__(self, *_: object) -> None:
        self.dynamodb = FakeDynamoDB()
        self.ec2_client = FakeEc2()
        self.identity = static_identity()
        self.checked: list[str] = []
        self.on_check: Callable[[], None] = lambda: None

    def way_out(self, services: Iterable[str], endpoints: Iterable[str]) -> WayOut:
        return WayOut({})

    def check_stream(self, stream: Stream) -> StreamIdentity:
        self.checked.append(stream.name)
        self.on_check()
        if stream.name == "missing":
            raise ConfigError("There is no such stream.")
        return StreamIdentity(f"arn:aws:kinesis:eu-west-1:123456789012:stream/{stream.name}", 1_700_000_000)

    def shard_counter(self, stream: str) -> Callable[[], int]:
        return lambda: 4

    def client(self, service: str, **_: Any) -> FakeDynamoDB:
        assert service == "dynamodb"
        return self.dynamodb

    def ec2(self, region: str, role: str) -> tuple[str, FakeEc2]:
        return "123456789010", self.ec2_client


class Host:
    """A machine on which an instance can run; `prepared` lists what was done before its start."""

    def __init__(self, directory: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.aws = FakeAws()
        self.java = directory / "java"
        self.set_up_java()
        self.prepared: list[str] = []
        self.state_dir = directory / "state"
        self.stop = StopRequests()
        self._caplog = caplog

    def set_up_java(self, is_ready: bool = True) -> None:
        """Install a Java whose daemon becomes ready, or does not."""
        self.java.write_text(JAVA.format(says=READY if is_ready else ""))
        self.java.chmod(0o755)

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
        """The fields of the line that names the run, none before it is logged."""
        named = [record for record in self._caplog.records if record.getMessage() == "kcl-flowlog started"]
        return fields(named[-1]) if named else {}

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


def make_host(directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a machine, and let instances in this process run on it."""
    made = Host(directory, caplog)
    monkeypatch.setattr(instance, "Aws", lambda *_: made.aws)
    monkeypatch.setattr(java, "find_java", lambda *_: Java(str(made.java), "21.0.1"))
    monkeypatch.setattr(java, "find_jars", lambda: Jars(directory, "3.1.3", "3.1.3-kcl"))
    # The real call would change this process for all tests that follow.
    monkeypatch.setattr(instance, "become_subreaper", lambda: made.prepared.append("subreaper"))
    caplog.set_level("INFO")
    return made
