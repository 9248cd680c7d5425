"""Region, credentials and roles from settings and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_settings import (
    check_region,
    daemon_environment,
    resolve_region,
    role_account,
    with_old_names,
)

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize(
    ("environ", "added"),
    [
        ({"AWS_ACCESS_KEY": "AKIA", "AWS_SECRET_KEY": "secret"}, KEYS),
        ({**KEYS, "AWS_ACCESS_KEY": "old", "AWS_SECRET_KEY": "old"}, KEYS),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_ACCESS_KEY": "AKIA"}, {"AWS_ACCESS_KEY_ID": "AKIA"}),
        ({"AWS_ACCESS_KEY": ""}, {}),
        ({"HOME": "/root"}, {}),
    ],
    ids=["old names", "modern names win", "an empty modern name", "an empty old name", "neither"],
)
def test_old_names_count_if_the_modern_names_are_not_set(environ: dict[str, str], added: dict[str, str]) -> None:
    """The variables of flowlog-exporter work, and the rest of the environment stays."""
    assert {**environ, **added} == with_old_names(environ)


@pytest.mark.parametrize(
    ("setting", "environ", "expected"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-east-1"),
        ("", {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("", {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
        ("", {}, "eu-south-2"),
        ("us-gov-west-1", {}, "us-gov-west-1"),
        ("cn-north-1", {}, "cn-north-1"),
    ],
)
def test_the_region_is_found(setting: str, environ: dict[str, str], expected: str, tmp_path: Path) -> None:
    """The option comes first, then AWS_REGION, then AWS_DEFAULT_REGION, then the profile."""
    (tmp_path / "config").write_text("[default]\nregion = eu-south-2\n")

    assert expected == resolve_region(setting, environ)


def test_no_region_is_a_config_error() -> None:
    """The sentence says how to set it."""
    with pytest.raises(ConfigError, match=r"^No AWS region; set --region or AWS_REGION\.$"):
        resolve_region("", {})


@pytest.mark.parametrize("region", ["frankfurt", "eu-central", "eu central 1", "EU-CENTRAL-1"])
def test_a_region_that_does_not_exist_is_a_config_error(region: str) -> None:
    """A typing mistake is found before any request."""
    with pytest.raises(ConfigError, match=rf"^AWS has no region '{region}'; check --region \(an example is eu-"):
        resolve_region(region, {})


def test_a_missing_profile_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the profile."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(ConfigError) as refused:
        resolve_region("eu-west-1", {})

    assert (
        "Invalid AWS settings: The config profile (nobody) could not be found. Check AWS_PROFILE and ~/.aws/config."
        == str(refused.value)
    )


def test_check_region_names_its_option() -> None:
    """There are several options with regions."""
    assert "eu-west-1" == check_region("--inventory-region", "eu-west-1")
    with pytest.raises(ConfigError, match=r"no region 'middle-earth'; check --inventory-region "):
        check_region("--inventory-region", "middle-earth")


def test_the_daemon_gets_the_region_in_every_variable() -> None:
    """The AWS library for Java reads another variable than boto3."""
    environ = {"AWS_REGION": "other", "HOME": "/root"}

    given = daemon_environment(environ, "eu-west-1")

    assert {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "HOME": "/root"} == {
        name: value for name, value in given.items() if name != "AWS_SHARED_CREDENTIALS_FILE"
    }


def test_the_daemon_gets_no_credentials_in_its_environment() -> None:
    """Whatever they come from: only the endpoint of the launcher may count. Endpoints and profiles stay."""
    kept = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "production", "AWS_CA_BUNDLE": "/ca.pem"}
    dropped = {
        **KEYS,
        "AWS_ACCESS_KEY": "old",
        "AWS_SECRET_KEY": "old",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod",
        "AWS_SHARED_CREDENTIALS_FILE": "/root/.aws/credentials",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/var/run/pod-token",
    }

    given = daemon_environment({**kept, **dropped}, "eu-west-1")

    assert {**kept, "AWS_SHARED_CREDENTIALS_FILE": os.devnull} == {
        name: value for name, value in given.items() if not name.endswith("REGION")
    }


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_a_role_names_its_account(partition: str) -> None:
    """Also in China and in GovCloud."""
    assert "222222222222" == role_account(f"arn:{partition}:iam::222222222222:role/path/name")


@pytest.mark.parametrize(
    "arn", ["", "inventory", "arn:aws:iam::1:role/r", "arn:aws:sts::222222222222:role/r", "arn:aws:iam::222222222222:r"]
)
def test_a_text_that_is_not_a_role_is_a_config_error(arn: str) -> None:
    """The sentence shows the form and names the option."""
    with pytest.raises(ConfigError) as refused:
        role_account(arn)

    assert f"{arn!r} is not a role such as arn:aws:iam::123456789012:role/NAME; check --inventory-role." == str(
        refused.value
    )


def test_a_daemon_that_assumes_a_role_sees_no_profile() -> None:
    """The KCL's client of STS would take a profile's credentials before those of the launcher."""
    found = daemon_environment({"AWS_PROFILE": "other", "AWS_CONFIG_FILE": "/config"}, "eu-west-1", assumes_role=True)

    assert {"AWS_PROFILE": "default", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull} == {
        name: value for name, value in found.items() if not name.endswith("REGION")
    }
