"""The endpoint that hands credentials to the daemon: the form of the answers, and who gets none."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from kcl_flowlog.inventory.identity import Identity, Keys
from kcl_flowlog.launcher.credentials_endpoint import TOKEN_VARIABLE, URI_VARIABLE, CredentialsEndpoint
from tests.support.credential_sources import FakeSource
from tests.support.waiting import PATIENCE, eventually

NOW = 1_700_000_000.0
ROLE = Keys("ASIAROLE", "role secret", "role token", NOW + 900.0)
STATIC = Keys("AKIA", "secret", None, None)


@pytest.fixture
def endpoint() -> Iterator[CredentialsEndpoint]:
    expired = Identity(FakeSource(NOW), lambda: NOW)
    identities = {"own": lambda: STATIC, "stream": lambda: ROLE, "expired": expired.keys}
    served = CredentialsEndpoint(identities, lambda: NOW)
    served.start()
    yield served
    served.stop()


def get(endpoint: CredentialsEndpoint, path: str, token: str | None = None) -> tuple[int, dict[str, str]]:
    """Ask as an AWS library does; return status and content."""
    variables = endpoint.environment(path)
    address = urlsplit(variables[URI_VARIABLE])
    connection = http.client.HTTPConnection(address.netloc, timeout=PATIENCE)
    connection.request("GET", address.path, headers={"Authorization": token or variables[TOKEN_VARIABLE]})
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_each_path_is_an_identity(endpoint: CredentialsEndpoint) -> None:
    """Keys that never expire get an end all the same: without, the AWS library for Java 2.33 fails."""
    own = {"AccessKeyId": "AKIA", "SecretAccessKey": "secret", "Expiration": "2023-11-15T22:13:20Z"}
    role = {
        "AccessKeyId": "ASIAROLE",
        "SecretAccessKey": "role secret",
        "Token": "role token",
        "Expiration": "2023-11-14T22:28:20Z",
    }

    assert (200, own) == get(endpoint, "own")
    assert (200, role) == get(endpoint, "stream")


@pytest.mark.parametrize(
    ("path", "token", "status", "message"),
    [
        ("own", "wrong", 401, "The token is missing or wrong."),
        ("own", "w\u00f6rng", 401, "The token is missing or wrong."),
        ("nobody", "wrong", 401, "The token is missing or wrong."),
        ("nobody", None, 404, "There is no such identity."),
        # The daemon tries again after an answer of 5xx, and after no other.
        ("expired", None, 503, "Error when retrieving credentials from fake: they expired at 2023-11-14T22:13:20Z."),
    ],
)
def test_nobody_else_gets_credentials(
    endpoint: CredentialsEndpoint, path: str, token: str | None, status: int, message: str
) -> None:
    """Without the token, not even which identities there are."""
    found, content = get(endpoint, path, token)

    assert (status, message) == (found, content["message"])


def test_only_the_loopback_is_served(endpoint: CredentialsEndpoint) -> None:
    """The AWS library for Java asks no other address by http."""
    assert "127.0.0.1" == urlsplit(endpoint.environment()[URI_VARIABLE]).hostname


def test_tokens_differ() -> None:
    """Each start has its own, of 256 random bits."""
    tokens = set()
    for _ in range(2):
        endpoint = CredentialsEndpoint({})
        endpoint.start()
        tokens.add(endpoint.environment()[TOKEN_VARIABLE])
        endpoint.stop()

    assert (2, {43}) == (len(tokens), {len(token) for token in tokens})


def test_clients_that_say_nothing_do_not_use_up_the_threads(endpoint: CredentialsEndpoint) -> None:
    """Beyond 32, a connection is closed; those that say nothing end by themselves."""
    address = urlsplit(endpoint.environment()[URI_VARIABLE])
    silent = [socket.create_connection((address.hostname or "", address.port or 0), PATIENCE) for _ in range(33)]

    def answers() -> bool:
        try:
            return get(endpoint, "own")[0] == 200
        except OSError:
            return False

    try:
        assert eventually(answers)
    finally:
        for client in silent:
            client.close()


def test_a_stop_before_the_start_does_nothing() -> None:
    """As after a start that failed."""
    CredentialsEndpoint({}).stop()
