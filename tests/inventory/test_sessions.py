"""Sessions with given credentials: how often their clients try, and with which keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.awsrequest
import botocore.exceptions
import pytest
from botocore.config import Config

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.inventory.identity import Keys
from kcl_flowlog.inventory.sessions import make_session
from tests.support.credential_sources import static_identity


class Throttled:
    """An answer of an AWS that is busy."""

    status_code = 400
    headers: dict[str, str] = {}  # noqa: RUF012 - botocore reads it
    content = b'{"__type": "ProvisionedThroughputExceededException", "message": "Slow down."}'


def attempts(request: Callable[[Any], object], answer: object, session: Any, service: str) -> int:
    """Return how often a client asks if that is the answer each time, or if it is raised."""
    sent: list[object] = []

    def respond(**_: Any) -> object:
        sent.append(answer)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = session.client(service, config=Config(retries={"mode": "standard", "total_max_attempts": 4}))
    client.meta.events.register("before-send", respond)
    with pytest.raises(AWS_ERRORS):
        request(client)
    return len(sent)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("time.sleep", lambda _: None)
    return make_session("eu-west-1", static_identity().keys)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), 2),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), 2),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"), 2),
        (Throttled(), 4),
    ],
)
@pytest.mark.parametrize("service", ["kinesis", "dynamodb"])
def test_clients_are_patient_with_throttling_only(session: Any, service: str, answer: object, expected: int) -> None:
    """A dead network takes two attempts, however many the settings allow."""

    def request(client: Any) -> object:
        return client.list_streams() if service == "kinesis" else client.list_tables()

    assert expected == attempts(request, answer, session, service)


@pytest.mark.parametrize("service", ["ec2", "sts"])
def test_so_are_those_of_the_inventory(session: Any, service: str) -> None:
    """EC2 and STS are named otherwise among botocore's events."""

    def request(client: Any) -> object:
        return client.describe_subnets() if service == "ec2" else client.get_caller_identity()

    dead = botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x")
    assert 2 == attempts(request, dead, session, service)


def test_each_request_is_signed_with_the_keys_of_the_moment() -> None:
    """A client outlives its first keys."""
    keys = [Keys("ASIA1", "s", "t1", 1.0, "1"), Keys("ASIA2", "s", "t2", 2.0, "2")]
    session = make_session("eu-west-1", lambda: keys[0])
    signed: list[tuple[bool, str]] = []

    def note(request: botocore.awsrequest.AWSPreparedRequest, **_: Any) -> object:
        signed.append((keys[0].access_key.encode() in request.headers["Authorization"], keys[0].access_key))
        return Throttled()

    client = session.client("kinesis", config=Config(retries={"mode": "standard", "total_max_attempts": 1}))
    client.meta.events.register("before-send", note)
    for _ in range(2):
        with pytest.raises(AWS_ERRORS):
            client.list_streams()
        keys.reverse()

    assert [(True, "ASIA1"), (True, "ASIA2")] == signed


def test_credentials_have_what_botocore_may_look_at() -> None:
    """All of one moment."""
    session = make_session("eu-west-1", lambda: Keys("ASIA", "secret", "token", 1.0, "123456789012"))

    found = session.get_credentials()

    assert ("ASIA", "secret", "token", "123456789012") == (
        found.access_key,
        found.secret_key,
        found.token,
        found.account_id,
    )
