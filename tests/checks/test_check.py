"""The checks: a healthy set-up passes all, and each broken part is named, and no other."""

from __future__ import annotations

import functools
import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from kcl_flowlog.checks.all_checks import CHECKS
from kcl_flowlog.checks.check_command import print_results
from kcl_flowlog.checks.policy import OWN, Roles, document
from kcl_flowlog.checks.result import FAIL, OK, SKIPPED, WARN, Result, run_checks
from kcl_flowlog.checks.world import World
from kcl_flowlog.config import Config
from kcl_flowlog.counting.line_format import DEFAULT_FORMAT
from kcl_flowlog.counting.recommended_format import RECOMMENDED_FORMAT
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.identity import Identity
from kcl_flowlog.inventory.sessions import make_session
from kcl_flowlog.inventory.way_out import WayOut, find_way_out
from kcl_flowlog.launcher.java import Jars, Java
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.values import parse_peer
from tests.support.credential_sources import FakeSource, static_identity
from tests.support.policies import ACCOUNT, Guard, without

REGION = "eu-central-1"
GROUP = "/vpc/flow-logs"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/flow-logs"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/kcl-flowlog"
TABLES = {"kcl-flowlog": "leaseKey", "kcl-flowlog-CoordinatorState": "key", "kcl-flowlog-WorkerMetricStats": "wid"}
MAY_SEE_SUBSCRIPTIONS = {"Action": ["logs:DescribeSubscriptionFilters"], "Resource": "*"}


class QuickAws(Aws):
    """Does not make clients to learn the endpoints, and finds a way out once, which takes longer than all checks."""

    def way_out(self, services: Iterable[str], endpoints: Iterable[str] = ()) -> WayOut:
        return way_out(tuple(services), os.environ.get("HTTPS_PROXY", ""))


@functools.cache
def way_out(services: tuple[str, ...], _proxy: str) -> WayOut:
    return find_way_out([f"https://{service}.{REGION}.amazonaws.com" for service in services])


class Setup:
    """A healthy set-up, of which a case breaks a part."""

    def __init__(self, guard: Guard, session: Any, directory: Path) -> None:
        self.guard = guard
        self.session = session
        self.directory = directory
        self.config: dict[str, Any] = {"stream": "flow-logs", "region": REGION}
        self.config |= {"state_dir": directory / "state", "web_listen_address": ("127.0.0.1", 0)}
        self.world: dict[str, Any] = {
            "find_java": lambda *_: Java("/usr/bin/java", "21.0.1"),
            "find_jars": lambda: Jars(directory, "3.1.3", "3.1.3"),
            "complaint_of_java": lambda _: "",
            "free": lambda _: 10**10,
        }
        self.identity: Callable[[], Identity] = static_identity
        self.kept: list[Any] = []
        self.permit("flow-logs")
        guard.errors, guard.changes = {}, {}

    def permit(self, stream: str) -> None:
        policy = document(list(Roles(Config(stream=stream), REGION, ACCOUNT).grants(OWN)))
        self.guard.own = {"Statement": [*policy["Statement"], MAY_SEE_SUBSCRIPTIONS]}

    def deny(self, action: str, resource: str) -> None:
        self.guard.own = without(self.guard.own, action, resource)

    def results(self) -> list[Result]:
        def make_aws(region: str, environ: Any) -> Aws:
            return QuickAws(region, environ, lambda *_: self.session, lambda *_: self.identity())

        return list(run_checks(CHECKS, World(Config(**self.config), {}, make_aws, **self.world)))


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Guard, Any]]:
    """An account with a whole pipeline; one for all cases, because it takes a second."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        root = boto3.Session("root", "root", region_name=REGION)
        root.client("kinesis").create_stream(StreamName="flow-logs", ShardCount=2)
        logs = root.client("logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.put_subscription_filter(
            logGroupName=GROUP,
            filterName="to-kinesis",
            filterPattern="",
            destinationArn=STREAM,
            roleArn="arn:aws:iam::1:role/r",
        )
        ec2 = root.client("ec2")
        ec2.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[ec2.describe_vpcs()["Vpcs"][0]["VpcId"]],
            TrafficType="ALL",
            LogGroupName=GROUP,
            LogFormat=RECOMMENDED_FORMAT,
            DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        )
        dynamodb = root.client("dynamodb")
        for table, key in TABLES.items():
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        guard = Guard()
        yield guard, guard.watch(make_session(REGION, static_identity().keys), "")


@pytest.fixture
def setup(shared: tuple[Guard, Any], tmp_path: Path) -> Iterator[Setup]:
    made = Setup(*shared, tmp_path)
    yield made
    for kept in made.kept:
        kept.close()


def test_a_healthy_set_up_passes_all(setup: Setup) -> None:
    results = setup.results()

    assert [(check.name, OK) for check in CHECKS] == [(result.check, result.outcome) for result in results], results
    assert not (setup.directory / "state").exists()


def test_before_the_first_start_nothing_is_missing(setup: Setup) -> None:
    """The tables are created by it."""
    operations = ("DescribeTable", "Scan", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
    setup.guard.errors.update(dict.fromkeys(operations, "ResourceNotFoundException"))

    assert {OK} == {result.outcome for result in setup.results()}


def fail(sentence: str) -> Callable[..., Any]:
    def raise_it(*_: object) -> None:
        raise ConfigError(sentence)

    return raise_it


def occupied_port(setup: Setup) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    setup.kept.append(listener)
    setup.config["web_listen_address"] = listener.getsockname()


def occupied_directory(setup: Setup) -> None:
    state = StateDirectory(setup.directory / "state")
    state.open()
    setup.kept.append(state)


def expiring(setup: Setup) -> None:
    setup.identity = lambda: Identity(FakeSource(time.time() + 60))


def put_file(setup: Setup) -> None:
    (setup.directory / "file").write_text("")
    setup.config["state_dir"] = setup.directory / "file"


def web_config_with_http2(setup: Setup) -> None:
    file = setup.directory / "web.yml"
    file.write_text("http_server_config: {http2: true}")
    setup.config["web_config_file"] = file


def missing_stream(setup: Setup) -> None:
    setup.config["stream"] = "missing"
    setup.permit("missing")


def answers(operation: str, change: Callable[[Any], object]) -> Callable[[Setup], None]:
    return lambda setup: setup.guard.changes.update({operation: change})


def refuses(operation: str, code: str) -> Callable[[Setup], None]:
    return lambda setup: setup.guard.errors.update({operation: code})


def denies(action: str, resource: str = "*") -> Callable[[Setup], None]:
    return lambda setup: setup.deny(action, resource)


def has(**settings: Any) -> Callable[[Setup], None]:
    return lambda setup: setup.config.update(settings)


def world(**changed: Any) -> Callable[[Setup], None]:
    return lambda setup: setup.world.update(changed)


def no_credentials(setup: Setup) -> None:
    setup.identity = fail("No AWS credentials.")


def twice(answer: Any) -> None:
    answer["FlowLogs"].append({**answer["FlowLogs"][0], "FlowLogId": "fl-zzz"})


def of_record(**changed: str) -> Callable[[Any], object]:
    """Return what turns the answer to GetItem into an application record."""
    item = {"key": "flowlog-application", "schema": "1", "stream": "flow-logs", "initialPosition": "1", **changed}
    return lambda answer: answer.update({"Item": {name: {"S": text} for name, text in item.items()}})


def found_lease(answer: Any) -> None:
    answer["Items"] = [{"leaseKey": {"S": "shard-of-others"}}]


PROXY = {"HTTPS_PROXY": "https://proxy.example.com"}
GOING = {"StreamStatus": "DELETING"}
FAILING = {"DeliverLogsStatus": "FAILED", "DeliverLogsErrorMessage": "Access error"}

BROKEN: dict[str, tuple[Callable[[Setup], object], str, str, str]] = {
    "no region": (has(region="nowhere-1"), "settings", FAIL, "check --region"),
    "a format": (has(flow_log_format=("version",)), "settings", FAIL, "--flow-log-format"),
    "a property": (has(kcl_property={"maxRecord": "1"}), "settings", FAIL, "did you mean 'maxRecords'?"),
    "a role's ARN": (has(inventory_role=("reader",)), "settings", FAIL, "check --inventory-role"),
    "no Java": (world(find_java=fail("Java 11 or newer is missing.")), "java", FAIL, "Java 11"),
    "options of Java": (world(complaint_of_java=lambda _: "Unrecognized VM option"), "java", FAIL, "--java-options"),
    "a jar": (world(find_jars=fail("The KCL is incomplete.")), "jars", FAIL, "incomplete"),
    "a state directory in use": (occupied_directory, "state directory", FAIL, "in use by another kcl-flowlog"),
    "a state directory that is a file": (put_file, "state directory", FAIL, "name another with --state-dir"),
    "a full disk": (world(free=lambda _: 10**6), "state directory", FAIL, "make room"),
    "a disk that is nearly full": (world(free=lambda _: 10**8), "state directory", WARN, "make room"),
    "a port in use": (occupied_port, "port", FAIL, "check --web.listen-address"),
    "no web config": (has(web_config_file=Path("/missing.yml")), "web config", FAIL, "/missing.yml"),
    "a web config that asks for HTTP/2": (
        web_config_with_http2,
        "web config",
        WARN,
        "http2: This server speaks HTTP/1.1",
    ),
    "no authority of peers": (
        has(peers=(parse_peer("https://b:10514"),), peers_ca=Path("/missing.pem")),
        "peers",
        FAIL,
        "--peers-ca /missing.pem: No such file or directory; check it.",
    ),
    "a proxy with TLS": (lambda setup: os.environ.update(PROXY), "proxy", FAIL, "HTTPS_PROXY"),
    "no credentials": (no_credentials, "credentials", FAIL, "No AWS credentials."),
    "credentials that AWS rejects": (
        refuses("GetCallerIdentity", "InvalidClientTokenId"),
        "credentials",
        FAIL,
        "renew or correct them",
    ),
    "credentials that expire": (expiring, "credentials", WARN, "expire in"),
    "a clock ten minutes ahead": (world(clock=lambda: time.time() + 600), "clock", FAIL, "set the clock"),
    "a clock a minute ahead": (world(clock=lambda: time.time() + 60), "clock", WARN, "set the clock"),
    "no stream": (missing_stream, "stream", FAIL, "check --stream and --region"),
    "a stream of another account": (
        has(stream=STREAM.replace(ACCOUNT, "222222222222")),
        "stream",
        FAIL,
        "set --stream-role",
    ),
    "a stream that goes away": (
        answers("DescribeStreamSummary", lambda answer: answer["StreamDescriptionSummary"].update(GOING)),
        "stream",
        FAIL,
        "choose another stream",
    ),
    "a stream that may not be described": (
        denies("kinesis:DescribeStreamSummary", STREAM),
        "stream",
        WARN,
        "kinesis:DescribeStreamSummary",
    ),
    "records that may not be read": (denies("kinesis:GetRecords", STREAM), "reading", FAIL, "kinesis:GetRecords"),
    "shards that may not be listed": (denies("kinesis:ListShards", STREAM), "reading", FAIL, "kinesis:ListShards"),
    "a key": (refuses("GetRecords", "KMSAccessDeniedException"), "reading", FAIL, "kms:Decrypt"),
    "leases that may not be written": (denies("dynamodb:UpdateItem", TABLE), "tables", FAIL, "dynamodb:UpdateItem"),
    "an index that may not be read": (denies("dynamodb:Query", f"{TABLE}/index/*"), "tables", FAIL, "dynamodb:Query"),
    "a lock that may not be released": (
        denies("dynamodb:DeleteItem", f"{TABLE}-CoordinatorState"),
        "tables",
        WARN,
        "dynamodb:DeleteItem",
    ),
    "an application of another stream": (
        answers("GetItem", of_record(stream="others")),
        "application",
        FAIL,
        "choose another --application",
    ),
    "leases of others": (answers("Scan", found_lease), "application", WARN, "choose another --application"),
    "subnets that may not be listed": (denies("ec2:DescribeSubnets"), "subnets", FAIL, "allow ec2:DescribeSubnets"),
    "interfaces that may not be listed": (
        denies("ec2:DescribeNetworkInterfaces"),
        "subnets",
        WARN,
        "ec2:DescribeNetworkInterfaces",
    ),
    "no subnet": (answers("DescribeSubnets", lambda answer: answer["Subnets"].clear()), "subnets", WARN, "no subnets"),
    "a role that may not be assumed": (
        has(inventory_role=("arn:aws:iam::222222222222:role/reader",)),
        "subnets",
        FAIL,
        "sts:AssumeRole",
    ),
    "no flow log": (
        answers("DescribeFlowLogs", lambda answer: answer["FlowLogs"].clear()),
        "flow logs",
        WARN,
        "create one",
    ),
    "a flow log that does not deliver": (
        answers("DescribeFlowLogs", lambda answer: answer["FlowLogs"][0].update(FAILING)),
        "flow logs",
        FAIL,
        "correct its policy",
    ),
    "two flow logs of a VPC": (answers("DescribeFlowLogs", twice), "flow logs", WARN, "delete one of them"),
    "the default format": (
        answers("DescribeFlowLogs", lambda answer: answer["FlowLogs"][0].update({"LogFormat": DEFAULT_FORMAT})),
        "formats",
        WARN,
        "without subnet-id",
    ),
    "no subscription": (
        answers("DescribeSubscriptionFilters", lambda answer: answer["subscriptionFilters"].clear()),
        "subscriptions",
        WARN,
        "no subscription",
    ),
    "a pattern": (
        answers(
            "DescribeSubscriptionFilters",
            lambda answer: answer["subscriptionFilters"][0].update({"filterPattern": "REJECT"}),
        ),
        "subscriptions",
        WARN,
        "holds records back",
    ),
    "subscriptions that may not be seen": (
        denies("logs:DescribeSubscriptionFilters"),
        "subscriptions",
        WARN,
        "logs:DescribeSubscriptionFilters",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_part_is_named_and_no_other(setup: Setup, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What could not be checked because of it is not held against anybody."""
    break_it, part, outcome, advice = BROKEN[name]
    monkeypatch.setattr(os, "environ", dict(os.environ))
    break_it(setup)

    results = [result for result in setup.results() if result.outcome not in (OK, SKIPPED)]

    assert {(part, outcome)} == {(result.check, result.outcome) for result in results}, results
    assert any(advice in result.text for result in results), results


def test_the_exit_code_is_2_only_for_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A warning is no reason to stop a deployment."""
    good, doubtful, bad = Result("port", OK, "free"), Result("clock", WARN, "off"), Result("jars", FAIL, "incomplete")

    assert (0, 2) == (print_results([good, doubtful], "table"), print_results([good, bad], "table"))
    assert "✓ port             free\n! clock            off\n" in capsys.readouterr().out


def test_the_json_has_each_result(capsys: pytest.CaptureFixture[str]) -> None:
    """For another program."""
    print_results([Result("port", OK, "free")], "json")

    assert [{"check": "port", "outcome": "ok", "text": "free"}] == json.loads(capsys.readouterr().out)
