"""What a daemon starts with."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from kcl_flowlog.errors import CannotStart
from kcl_flowlog.inventory.identity import Identity
from kcl_flowlog.launcher.credentials_endpoint import CREDENTIAL_VARIABLES, URI_VARIABLE
from kcl_flowlog.launcher.daemon_credentials import DaemonCredentials
from tests.support.clocks import FakeClock
from tests.support.credential_sources import FakeSource, static_identity


def test_a_daemon_gets_address_and_token() -> None:
    """As long as the instance runs; then nobody listens any more."""
    with DaemonCredentials(static_identity()) as credentials:
        variables = credentials.environment()
        address = urlsplit(variables[URI_VARIABLE])
        socket.create_connection((address.hostname or "", address.port or 0)).close()

    assert set(CREDENTIAL_VARIABLES) == set(variables)
    with pytest.raises(ConnectionError):
        socket.create_connection((address.hostname or "", address.port or 0))


def test_without_valid_credentials_no_daemon_starts() -> None:
    """It would end after a minute, without a reason; the supervisor counts this, and tries again."""
    clock = FakeClock()
    with DaemonCredentials(Identity(FakeSource(clock.now + 60.0), clock)) as credentials:
        clock.now += 60.0

        with pytest.raises(CannotStart) as refused:
            credentials.environment()

    assert (
        "No valid AWS credentials: Error when retrieving credentials from fake: they expired at 1970-01-01T00:17:40Z."
        == str(refused.value)
    )
