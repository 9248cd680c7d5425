"""Where credentials come from, with the real botocore, and the sentence if it finds none."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.credentials import find_identity
from tests.support.credential_sources import FakeSource
from tests.support.sso import SsoPortal

HOUR = 3600.0
WHERE = "the variables AWS_…, ~/.aws/config and ~/.aws/credentials"


@pytest.fixture
def portal() -> Iterator[SsoPortal]:
    with SsoPortal(HOUR) as running:
        yield running


def log_in(portal: SsoPortal, home: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in portal.log_in(home, **settings).items():
        monkeypatch.setenv(name, value)
    # botocore looks the home directory up when it is imported.
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(home / ".aws" / "sso" / "cache"))


def with_process(command: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[default]\ncredential_process = {command}\n")


def mistake(patience: float = 60.0) -> str:
    with pytest.raises(ConfigError) as refused:
        find_identity("eu-west-1", {}, patience=patience)
    return str(refused.value)


def test_keys_of_the_environment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is looked at, with a token or without."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    found = [find_identity("eu-west-1", {**keys, **more}).keys() for more in ({}, {"AWS_SESSION_TOKEN": "t"})]

    assert [("AKIA", "secret", None), ("AKIA", "secret", "t")] == [(k.access_key, k.secret_key, k.token) for k in found]


def test_an_sso_profile_gives_keys(portal: SsoPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the role of the profile, with their end."""
    log_in(portal, tmp_path, monkeypatch)

    identity = find_identity("eu-west-1", {})

    assert identity.keys().access_key.startswith("ASIA")
    assert 1 == portal.issued
    assert identity.expires_at > 0


def test_a_process_gives_keys() -> None:
    """With the end that it names."""
    answer = '{"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"}'
    with_process(f"/bin/echo '{answer}'")

    identity = find_identity("eu-west-1", {})

    assert (4070908800.0, "ASIA") == (identity.expires_at, identity.keys().access_key)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            "/bin/sh -c 'echo please log in >&2; exit 1'",
            "Cannot get AWS credentials: Error when retrieving credentials from custom-process: please log in."
            f" Check {WHERE}.",
        ),
        (
            "/nowhere/tool",
            "Cannot get AWS credentials: [Errno 2] No such file or directory: '/nowhere/tool'. Check " + WHERE + ".",
        ),
        (
            "/bin/echo hello",
            f"Cannot get AWS credentials: Expecting value: line 1 column 1 (char 0). Check {WHERE}.",
        ),
        (
            "/bin/echo '{\"Version\": 1}'",
            "Cannot get AWS credentials: Error when retrieving credentials from custom-process: Missing required key in"
            f" response: 'AccessKeyId'. Check {WHERE}.",
        ),
    ],
)
def test_a_process_that_fails_is_a_config_error(command: str, sentence: str) -> None:
    """However it fails."""
    with_process(command)

    assert sentence == mistake()


def test_a_source_that_hangs_is_a_config_error() -> None:
    """The start does not wait for it."""
    hanging = threading.Event()
    source = FakeSource()
    source.fail = hanging.wait

    with pytest.raises(ConfigError) as refused:
        find_identity("eu-west-1", {}, lambda _: source, patience=0.01)
    hanging.set()

    assert f"The source of the AWS credentials gave no answer within 0.01 s; check {WHERE}." == str(refused.value)


def test_a_session_that_has_ended_is_a_config_error(
    portal: SsoPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says how to log in."""
    log_in(portal, tmp_path, monkeypatch, expires="2020-01-01T00:00:00Z")

    assert (
        "Cannot get AWS credentials: The SSO session associated with this profile has expired or is otherwise invalid."
        f" To refresh this SSO session run aws sso login with the corresponding profile. Check {WHERE}." == mistake()
    )


def test_a_portal_out_of_reach_is_a_config_error(
    portal: SsoPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about the network, not about a profile."""
    log_in(portal, tmp_path, monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", f"http://127.0.0.1:{closed.getsockname()[1]}")
        sentence = mistake()

    assert sentence.startswith("Cannot reach the source of the AWS credentials (Could not connect to the endpoint")
    assert sentence.endswith(f"; check {WHERE}, and the network.")
