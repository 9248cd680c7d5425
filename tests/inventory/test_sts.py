"""What only STS can tell, and that an STS out of reach is not asked again and again."""

from __future__ import annotations

import logging
from typing import Any

import botocore.exceptions
import pytest

from kcl_flowlog.inventory.sts import REST, RoleKeys, Sts
from tests.support.clocks import FakeClock
from tests.support.ec2 import client_error
from tests.support.logs import events

ROLE = "arn:aws:iam::222222222222:role/inventory"
OUT_OF_REACH = botocore.exceptions.ConnectTimeoutError(endpoint_url="https://sts")


class FakeSts:
    """Answers, or raises `error`; counts the requests."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.requests = 0
        self.clock = FakeClock()
        self.sts = Sts(lambda: self, self.clock)

    def get_caller_identity(self) -> dict[str, Any]:
        self._answer()
        return {"Account": "111111111111"}

    def assume_role(self, **_: Any) -> dict[str, Any]:
        self._answer()
        return {"Credentials": {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}}

    def _answer(self) -> None:
        self.requests += 1
        if self.error is not None:
            raise self.error


def test_the_account_is_asked_for_once() -> None:
    """It never changes."""
    fake = FakeSts()

    assert ["111111111111"] * 2 == [fake.sts.account_id() for _ in range(2)]
    assert 1 == fake.requests


def test_out_of_reach_it_is_asked_once_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each reading of the inventory would wait for it; a role can't be assumed in that time, either."""
    fake = FakeSts()
    fake.error = OUT_OF_REACH

    accounts = [fake.sts.account_id() for _ in range(3)]
    with pytest.raises(botocore.exceptions.ConnectTimeoutError):
        fake.sts.assume(ROLE)
    fake.clock.now += REST
    accounts.append(fake.sts.account_id())

    assert ([""] * 4, 2) == (accounts, fake.requests)
    fields = {"error": 'Connect timeout on endpoint URL: "https://sts".', "asked_again_after_seconds": 600.0}
    message = "Cannot reach STS; without it the account of the credentials is unknown, and no role can be assumed"
    assert [(logging.WARNING, message, fields)] == events(caplog)


def test_a_role_can_be_assumed_once_it_is_in_reach_again(caplog: pytest.LogCaptureFixture) -> None:
    """And its next absence is named again."""
    fake = FakeSts()
    fake.error = OUT_OF_REACH
    fake.sts.account_id()
    fake.clock.now += REST
    fake.error = None

    assert "ASIA" == fake.sts.assume(ROLE).access_key
    fake.error = OUT_OF_REACH
    with pytest.raises(botocore.exceptions.ConnectTimeoutError):
        fake.sts.assume(ROLE)
    assert 2 == len(events(caplog))


def test_a_refusal_is_an_answer() -> None:
    """It has no consequence for the next question: another role may be permitted."""
    fake = FakeSts()
    fake.error = client_error("AccessDenied")

    for _ in range(2):
        with pytest.raises(botocore.exceptions.ClientError):
            fake.sts.assume(ROLE)

    assert 2 == fake.requests


def test_a_role_is_assumed_again_before_its_session_ends() -> None:
    """A session lasts for an hour."""
    fake = FakeSts()
    keys = RoleKeys(fake.sts, ROLE, fake.clock)

    assert ["ASIA"] * 2 == [keys().access_key for _ in range(2)]
    assert 1 == fake.requests

    fake.clock.now += 2700.0

    assert "ASIA" == keys().access_key
    assert 2 == fake.requests


def test_a_role_that_can_not_be_assumed_again_keeps_its_keys_while_they_live(caplog: pytest.LogCaptureFixture) -> None:
    """A failure is named, and tried again after a minute; when the keys have ended, it is raised."""
    fake = FakeSts()
    keys = RoleKeys(fake.sts, ROLE, fake.clock)
    keys()
    fake.error = client_error("AccessDenied")

    with caplog.at_level(logging.WARNING):
        fake.clock.now += 2700.0
        assert ["ASIA"] * 2 == [keys().access_key for _ in range(2)]
        assert 2 == fake.requests
        fake.clock.now += 60.0
        assert "ASIA" == keys().access_key
    assert 3 == fake.requests
    message = "Cannot assume a role again; trying again while its keys are valid"
    assert [(message, 900), (message, 840)] == [(text, fields["seconds_left"]) for _, text, fields in events(caplog)]

    fake.clock.now += 840.0
    with pytest.raises(botocore.exceptions.ClientError):
        keys()
    fake.error = None
    assert "ASIA" == keys().access_key
