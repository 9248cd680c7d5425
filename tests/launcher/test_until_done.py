"""Requests that are repeated until DynamoDB answers, or a stop is requested."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.until_done import until_done
from tests.support.coordinator import DENIED, FAILED, never
from tests.support.ec2 import client_error
from tests.support.logs import events

NAME = "flows"


def attempts(*outcomes: Any) -> Any:
    """Return a function that returns or raises one outcome after the other."""
    left = list(outcomes)

    def attempt() -> Any:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt


def test_an_attempt_is_repeated_until_it_is_done(caplog: pytest.LogCaptureFixture) -> None:
    """Whether DynamoDB fails or the answer is not yet known."""
    assert 0 == until_done(attempts(FAILED, None, 0), NAME, never)

    error = "An error occurred (InternalServerError) when calling the GetItem operation: Try again."
    fields = {"table": NAME, "error": error, "retry_seconds": 1.0}
    assert [(logging.WARNING, "DynamoDB does not answer; trying again", fields)] == events(caplog)


def test_a_stop_ends_the_attempts() -> None:
    """An instance can be stopped while DynamoDB fails."""
    assert until_done(attempts(FAILED), NAME, lambda _: True) is None


@pytest.mark.parametrize(
    "error", [DENIED, client_error("ExpiredTokenException"), client_error("ValidationException")], ids=str
)
def test_what_the_user_can_fix_is_not_repeated(error: Exception) -> None:
    """The sentence holds AWS' own words, which name the action."""
    with pytest.raises(ConfigError, match=f"DynamoDB refuses a request about the table {NAME}: An error occurred"):
        until_done(attempts(error), NAME, never)
