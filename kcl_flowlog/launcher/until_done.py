"""Repeats a request to one of the KCL's tables until it is done, for as long as DynamoDB fails.

Before an instance starts a daemon it can only wait: without DynamoDB the daemon can't count either. What the user can
fix is a `ConfigError`. Must not know what the request is about.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.aws_errors import (
    AWS_ERRORS,
    has_invalid_credentials,
    is_denied,
    is_invalid_request,
    one_line,
)

log = logging.getLogger(__name__)

Done = TypeVar("Done")
Wait = Callable[[float], bool]
"""Waits for that many seconds, or less if a stop is requested; returns whether it is."""

_PAUSE = 1.0


def until_done(attempt: Callable[[], Done | None], table: str, wait: Wait) -> Done | None:
    """Return the result of the first attempt that has one, or None if a stop is requested before.

    Goes on while DynamoDB fails. Raises `ConfigError` for what the user can fix.
    """
    while True:
        try:
            done = attempt()
        except AWS_ERRORS as error:
            if is_denied(error) or has_invalid_credentials(error) or is_invalid_request(error):
                raise ConfigError(
                    f"DynamoDB refuses a request about the table {table}: {one_line(error)} kcl-flowlog policy"
                    " prints the permissions that the role needs; check --kcl-property, too."
                ) from error
            log.warning(
                "DynamoDB does not answer; trying again",
                extra={"fields": {"table": table, "error": one_line(error), "retry_seconds": _PAUSE}},
            )
            done = None
        if done is not None:
            return done
        if wait(_PAUSE):
            return None
