"""The credentials that a daemon starts with: kept fresh, and served to it for as long as the instance runs.

A daemon without valid credentials would end after a minute and tell nobody why, so it is not started: `CannotStart`.
"""

from __future__ import annotations

from kcl_flowlog.errors import CannotStart
from kcl_flowlog.inventory.aws_errors import AWS_ERRORS, one_line
from kcl_flowlog.inventory.identity import Identity
from kcl_flowlog.launcher.credentials_endpoint import OWN, CredentialsEndpoint


class DaemonCredentials:
    """The identity of the instance for its daemons, as a context manager. Raises `OSError` if it can't listen."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._endpoint = CredentialsEndpoint({OWN: identity.keys})

    def __enter__(self) -> DaemonCredentials:
        self._endpoint.start()
        self._identity.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._identity.stop()
        self._endpoint.stop()

    def environment(self) -> dict[str, str]:
        """Return the variables with which the next daemon gets its credentials. Raises `CannotStart`."""
        try:
            self._identity.keys()
        except AWS_ERRORS as error:
            raise CannotStart(f"No valid AWS credentials: {one_line(error)}") from error
        return self._endpoint.environment(OWN)
