"""Sources of credentials, as botocore makes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from botocore.credentials import ReadOnlyCredentials

from kcl_flowlog.inventory.identity import Identity
from kcl_flowlog.inventory.sessions import fixed_source


class FakeSource:
    """A source whose answers the test decides: it gives `key` until `expires_at`, or calls `fail`."""

    method = "fake"

    def __init__(self, expires_at: float | None = None, account_id: str | None = None) -> None:
        self.key = "ASIA1"
        self.expires_at = expires_at
        self.account_id = account_id
        self.fail: Callable[[], object] = lambda: None
        self.asked = 0

    @property
    def _expiry_time(self) -> datetime | None:
        return datetime.fromtimestamp(self.expires_at, timezone.utc) if self.expires_at is not None else None

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        self.asked += 1
        self.fail()
        return ReadOnlyCredentials(self.key, "secret", "token", self.account_id)


def static_identity() -> Identity:
    """Return an identity whose keys never expire."""
    return Identity(fixed_source("AKIA", "secret", None))
