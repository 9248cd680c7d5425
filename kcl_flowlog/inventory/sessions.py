"""botocore's sessions: how it finds credentials, and boto3 sessions with given credentials.

Every client of a session is patient with throttling but not with a dead network, whatever its settings. Calls nothing
over the network itself, except to find credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import botocore.config
import botocore.credentials
import botocore.session

from kcl_flowlog.inventory.aws_errors import is_unreachable
from kcl_flowlog.inventory.identity import Keys

_SERVICES = ("dynamodb", "ec2", "kinesis", "sts")
# The clients with which botocore itself asks for credentials: SSO, STS, sign-in.
_SOURCE_SETTINGS = {"retries": {"mode": "standard", "total_max_attempts": 2}, "connect_timeout": 3, "read_timeout": 5}
_ATTEMPTS_ON_A_DEAD_NETWORK = 2


def find_source(region: str) -> Any:
    """Return botocore's credentials for this process, or None if it finds no credentials. May wait for the network."""
    core = botocore.session.Session()
    core.set_config_variable("region", region)
    core.set_default_client_config(botocore.config.Config(**_SOURCE_SETTINGS))
    return core.get_credentials()


def fixed_source(access_key: str, secret_key: str, token: str | None) -> Any:
    """Return botocore's credentials with these keys, which never expire."""
    return botocore.credentials.Credentials(access_key, secret_key, token, method="static")


def make_session(region: str, keys: Callable[[], Keys]) -> Any:
    """Return a boto3 session whose clients sign each request with `keys()`."""
    core = botocore.session.Session()
    core.register_component("credential_provider", _Given(keys))
    for service in _SERVICES:
        # Before botocore's own handler, which would try again.
        core.get_component("event_emitter").register_first(f"needs-retry.{service}", _give_up_on_a_dead_network)
    return boto3.Session(region_name=region, botocore_session=core)


def _give_up_on_a_dead_network(attempts: int, caught_exception: Exception | None, **_: Any) -> None:
    if caught_exception is not None and is_unreachable(caught_exception) and attempts >= _ATTEMPTS_ON_A_DEAD_NETWORK:
        raise caught_exception


class _Given:
    """Takes the place of botocore's search for credentials."""

    def __init__(self, keys: Callable[[], Keys]) -> None:
        self._keys = keys

    def load_credentials(self) -> _GivenCredentials:
        return _GivenCredentials(self._keys)


class _GivenCredentials(botocore.credentials.Credentials):  # type: ignore[misc] # botocore has no types
    """Credentials that ask `keys` each time, as botocore's own refreshable credentials do."""

    def __init__(self, keys: Callable[[], Keys]) -> None:
        self._keys = keys
        self.method = "kcl-flowlog"

    access_key = property(lambda self: self._keys().access_key)
    secret_key = property(lambda self: self._keys().secret_key)
    token = property(lambda self: self._keys().token)
    account_id = property(lambda self: self._keys().account_id or None)

    def get_frozen_credentials(self) -> Any:
        keys = self._keys()
        return botocore.credentials.ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)
