"""AWS clients, and the check of the stream."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import botocore.exceptions
import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws import Aws, StreamIdentity
from kcl_flowlog.inventory.identity import Identity, Keys
from kcl_flowlog.inventory.stream import Stream
from tests.support.credential_sources import FakeSource
from tests.support.ec2 import client_error
from tests.support.logs import events

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
STREAM_ARN = "arn:aws:kinesis:eu-west-1:111111111111:stream/flow-logs"
SUMMARY = {"StreamARN": STREAM_ARN, "OpenShardCount": 4}
STREAM = Stream("flow-logs")
ROLE = "arn:aws:iam::222222222222:role/path/inventory"


class FakeService:
    """Kinesis and STS: answers, or raises `error`; if an operation is named, only then."""

    def __init__(self, error: Exception | None, failing: str = "") -> None:
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self._error = error
        self._failing = failing

    def describe_stream_summary(self, **parameters: Any) -> dict[str, Any]:
        self._answer("describe_stream_summary", parameters)
        created = datetime(2026, 1, 31, 12, 0, 0, 900_000, tzinfo=timezone.utc)
        return {"StreamDescriptionSummary": {**SUMMARY, "StreamCreationTimestamp": created}}

    def get_caller_identity(self) -> dict[str, Any]:
        self._answer("get_caller_identity", {})
        return {"Account": "111111111111"}

    def assume_role(self, **parameters: Any) -> dict[str, Any]:
        self._answer("assume_role", parameters)
        return {"Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}}

    def _answer(self, operation: str, parameters: dict[str, Any]) -> None:
        self.requests.append((operation, parameters))
        if self._error is not None and self._failing in ("", operation):
            raise self._error


class FakeAws:
    """An `Aws` with sessions that make fake clients: a client of EC2 is a tuple of access key and region."""

    def __init__(self, error: Exception | None = None, failing: str = "") -> None:
        self.service = FakeService(error, failing)
        self.clients: list[tuple[str, str, Any]] = []
        self.aws = Aws("eu-west-1", KEYS, lambda _, keys: FakeSession(self, keys))

    def requests(self) -> list[tuple[str, dict[str, Any]]]:
        return self.service.requests


class FakeSession:
    def __init__(self, fake: FakeAws, keys: Callable[[], Keys]) -> None:
        self._fake = fake
        self._keys = keys

    def client(self, service: str, region_name: str, config: Any) -> object:
        self._fake.clients.append((service, region_name, config))
        return self._fake.service if service != "ec2" else (self._keys().access_key, region_name)


# Clients


def test_a_client_has_the_region_and_credentials_of_the_environment() -> None:
    """Not those of the process."""
    client = Aws("eu-west-1", {**KEYS, "AWS_SESSION_TOKEN": "token"}).client("kinesis")

    credentials = client._request_signer._credentials.get_frozen_credentials()
    assert "eu-west-1" == client.meta.region_name
    assert ("AKIA", "secret", "token") == (credentials.access_key, credentials.secret_key, credentials.token)


def test_the_default_settings_give_up_on_a_dead_network() -> None:
    """Settings of the caller replace them one by one."""
    fake = FakeAws()

    fake.aws.client("kinesis")
    fake.aws.client("dynamodb", connect_timeout=1)

    (service, region, config), (_, _, other) = fake.clients
    assert ("kinesis", "eu-west-1") == (service, region)
    assert ({"mode": "standard", "total_max_attempts": 6}, 4, 30) == (
        config.retries,
        config.connect_timeout,
        config.read_timeout,
    )
    assert (1, 30) == (other.connect_timeout, other.read_timeout)


def test_nothing_is_opened_before_the_first_client() -> None:
    """An `Aws` can be made without any AWS settings."""

    def fail(*arguments: object) -> Any:
        raise AssertionError(arguments)

    assert "eu-west-1" == Aws("eu-west-1", {}, fail, fail).region


# Accounts and roles


def test_ec2_of_the_account_of_the_credentials() -> None:
    """In the given region; the account is looked up once."""
    fake = FakeAws()

    first, second = fake.aws.ec2("us-west-2"), fake.aws.ec2("eu-west-1")

    assert ("111111111111", ("AKIA", "us-west-2")) == first
    assert ("111111111111", ("AKIA", "eu-west-1")) == second
    assert [("get_caller_identity", {})] == fake.requests()


def test_ec2_of_a_role() -> None:
    """The role is assumed for every client, as its session ends; the account is part of its name."""
    fake = FakeAws()

    both = [fake.aws.ec2("us-west-2", ROLE) for _ in range(2)]

    assert [("222222222222", ("ASIA", "us-west-2"))] * 2 == both
    assert [("assume_role", {"RoleArn": ROLE, "RoleSessionName": "kcl-flowlog"})] * 2 == fake.requests()


def test_a_role_that_cannot_be_assumed_is_raised() -> None:
    """The inventory keeper counts it and goes on."""
    denied = client_error("AccessDenied")

    with pytest.raises(type(denied)) as raised:
        FakeAws(denied).aws.ec2("us-west-2", ROLE)

    assert denied is raised.value


def test_credentials_may_tell_their_account() -> None:
    """As those of SSO do; then nobody asks STS."""
    fake = FakeAws()
    source = FakeSource(account_id="333333333333")
    aws = Aws("eu-west-1", {}, lambda _, keys: FakeSession(fake, keys), lambda *_: Identity(source))

    assert ("333333333333", ("ASIA1", "us-west-2")) == aws.ec2("us-west-2")
    assert [] == fake.requests()


def test_an_unknown_account_is_no_obstacle() -> None:
    """Only a preference among formats needs it. See tests/inventory/test_sts.py."""
    fake = FakeAws(botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts"))

    assert ["", ""] == [fake.aws.ec2("us-west-2")[0] for _ in range(2)]
    assert [("get_caller_identity", {})] == fake.requests()


# The check of the stream


def test_the_stream_is_described_once(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that exists is no event for the log."""
    fake = FakeAws()

    identity = fake.aws.check_stream(STREAM)

    assert StreamIdentity(STREAM_ARN, 1_769_860_800) == identity
    assert [("describe_stream_summary", {"StreamName": "flow-logs"})] == fake.requests()
    assert [] == caplog.records


def test_the_open_shards_are_counted_by_kinesis() -> None:
    """By one small request each time, with one client."""
    fake = FakeAws()

    count = fake.aws.shard_counter(STREAM)

    assert [4, 4] == [count(), count()]
    assert [("describe_stream_summary", {"StreamName": "flow-logs"})] * 2 == fake.requests()


def test_the_check_needs_no_permission(caplog: pytest.LogCaptureFixture) -> None:
    """The daemon works without it, so its lack is a warning."""
    assert FakeAws(client_error("AccessDeniedException")).aws.check_stream(STREAM) is None

    fields = {"action": "kinesis:DescribeStreamSummary", "stream": "flow-logs"}
    assert [(logging.WARNING, "Missing permission; the stream is not checked", fields)] == events(caplog)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            client_error("ResourceNotFoundException"),
            "Stream flow-logs does not exist in eu-west-1; check --stream and --region.",
        ),
        (
            client_error("ExpiredTokenException"),
            "AWS rejects the credentials (ExpiredTokenException); renew or correct them.",
        ),
        (
            client_error("LimitExceededException", "Because.", "DescribeStreamSummary"),
            "Cannot describe stream flow-logs in eu-west-1: An error occurred (LimitExceededException) when calling the"
            " DescribeStreamSummary operation: Because. Try again later.",
        ),
        (
            botocore.exceptions.EndpointConnectionError(endpoint_url="https://kinesis"),
            'Cannot reach Kinesis in eu-west-1 (Could not connect to the endpoint URL: "https://kinesis"); check'
            " --region and the network.",
        ),
        (
            botocore.exceptions.ProxyConnectionError(proxy_url="http://***:***@proxy:1", error="refused"),
            'Cannot reach Kinesis in eu-west-1 (Failed to connect to proxy URL: "http://***:***@proxy:1"); check'
            " HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
        ),
        (
            botocore.exceptions.SSLError(endpoint_url="https://kinesis", error="unknown authority"),
            "Cannot reach Kinesis in eu-west-1 (SSL validation failed for https://kinesis unknown authority); check"
            " AWS_CA_BUNDLE.",
        ),
        (
            botocore.exceptions.InvalidRetryModeError(provided_retry_mode="x", valid_modes=["y"]),
            'Invalid AWS settings: Invalid value provided to "mode": "x" must be one of: [\'y\'].'
            " Check the variables AWS_… and ~/.aws/config.",
        ),
    ],
)
def test_a_failed_check_is_a_config_error(error: Exception, sentence: str) -> None:
    """The sentence says what happened, where, and what to do."""
    with pytest.raises(ConfigError) as refused:
        FakeAws(error).aws.check_stream(STREAM)

    assert sentence == str(refused.value)


def test_the_check_does_not_wait_long_for_a_dead_network() -> None:
    """Somebody waits for the sentence; but a throttled request, as when a whole fleet starts, is tried longer."""
    dead, throttled = (
        FakeAws(botocore.exceptions.ConnectTimeoutError(endpoint_url="https://kinesis")),
        FakeAws(client_error("LimitExceededException")),
    )

    for fake in (dead, throttled):
        with pytest.raises(ConfigError):
            fake.aws.check_stream(STREAM)

    assert [[2], [2, 6]] == [
        [config.retries["total_max_attempts"] for _, _, config in fake.clients] for fake in (dead, throttled)
    ]


OTHER_ARN = STREAM_ARN.replace("1", "2").replace("west-2", "west-1")
DENIED, NOT_FOUND = client_error("AccessDeniedException"), client_error("ResourceNotFoundException")
FOREIGN = (
    f"{OTHER_ARN} is no stream of the account of the credentials, and the KCL would look there for a stream of that"
    " name; set --stream-role to a role of the account of the stream."
)


@pytest.mark.parametrize(
    ("stream", "error", "failing", "expected"),
    [
        (Stream("flow-logs", STREAM_ARN), None, "", StreamIdentity(STREAM_ARN, 1_769_860_800)),
        (Stream("flow-logs", STREAM_ARN), DENIED, "describe_stream_summary", StreamIdentity(STREAM_ARN, None)),
        (Stream("flow-logs", OTHER_ARN, ROLE), DENIED, "describe_stream_summary", StreamIdentity(OTHER_ARN, None)),
        (Stream("flow-logs", OTHER_ARN), None, "", FOREIGN),
        (Stream("flow-logs", OTHER_ARN), NOT_FOUND, "describe_stream_summary", FOREIGN),
        (Stream("flow-logs", OTHER_ARN), DENIED, "describe_stream_summary", FOREIGN),
        (Stream("flow-logs", STREAM_ARN), DENIED, "", FOREIGN.replace(OTHER_ARN, STREAM_ARN)),
        (
            Stream("flow-logs", STREAM_ARN),
            NOT_FOUND,
            "describe_stream_summary",
            "Stream arn:aws:kinesis:eu-west-1:111111111111:stream/flow-logs does not exist in eu-west-1; check --stream"
            " and --region.",
        ),
        (
            Stream("flow-logs", OTHER_ARN, ROLE),
            DENIED,
            "assume_role",
            f"Cannot assume {ROLE}: {DENIED} Check --stream-role, the trust policy of the role and the permission"
            " sts:AssumeRole.",
        ),
    ],
    ids=[
        "the own account",
        "the own account, nothing may describe",
        "a role, nothing may describe",
        "another account with a stream of that name here",
        "another account",
        "another account, nothing may describe",
        "an account that nothing tells",
        "a missing stream",
        "a role that can't be assumed",
    ],
)
def test_an_arn_is_never_taken_for_a_stream_of_that_name_elsewhere(
    stream: Stream, error: Exception | None, failing: str, expected: StreamIdentity | str
) -> None:
    """The daemon asks by name, so the credentials have to be of the account of the ARN for certain."""
    try:
        found: StreamIdentity | str | None = FakeAws(error, failing).aws.check_stream(stream)
    except ConfigError as refused:
        found = str(refused)

    assert expected == found


def test_a_stream_is_described_with_its_role() -> None:
    """As the daemon will read it."""
    fake = FakeAws()

    fake.aws.check_stream(Stream("flow-logs", STREAM_ARN, ROLE))

    assert [
        ("assume_role", {"RoleArn": ROLE, "RoleSessionName": "kcl-flowlog"}),
        ("describe_stream_summary", {"StreamName": "flow-logs"}),
    ] == fake.requests()


def test_the_way_out_needs_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoints are those of the services here, and others that are given."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:8000")

    way_out = Aws("eu-west-1", {}).way_out(["kinesis", "dynamodb"], ["http://localhost:1"])

    assert ["https://kinesis.eu-west-1.amazonaws.com", "http://localhost:8000", "http://localhost:1"] == list(
        way_out.proxies
    )


def test_an_endpoint_that_is_no_url_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found before the first request."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:8000")

    with pytest.raises(
        ConfigError, match=r"^Invalid AWS settings: Invalid endpoint: localhost:8000\. Check AWS_ENDPOINT"
    ):
        Aws("eu-west-1", {}).way_out(["kinesis"])


def test_missing_credentials_are_a_config_error() -> None:
    """The sentence lists the ways to give them; AWS gets no request."""
    with pytest.raises(ConfigError) as refused:
        Aws("eu-west-1", {}).check_stream(STREAM)

    assert (
        "No AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the task, pod or"
        " instance a role." == str(refused.value)
    )


def test_half_a_pair_of_keys_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key without its secret is a mistake of the user, found before the first signature."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")

    with pytest.raises(ConfigError, match=r"Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY\. Check"):
        Aws("eu-west-1", {"AWS_ACCESS_KEY_ID": "AKIA"}).check_stream(STREAM)
