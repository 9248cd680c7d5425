"""Credentials that stay fresh: what is in force, when the source has to answer, and what a failure does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from botocore.credentials import RefreshableCredentials

from kcl_flowlog.inventory.aws_errors import AWS_ERRORS
from kcl_flowlog.inventory.identity import Identity
from tests.support.clocks import FakeClock
from tests.support.credential_sources import FakeSource, static_identity
from tests.support.logs import events
from tests.support.waiting import eventually

NOW = 1_700_000_000.0
HOUR = 3600.0


class Life:
    """The life of an identity whose credentials live for `lifetime` seconds, on a clock that the test sets."""

    def __init__(self, lifetime: float, patience: float = 60.0) -> None:
        self.clock = FakeClock()
        self.clock.now = NOW
        self.source = FakeSource(NOW + lifetime)
        self.identity = Identity(self.source, self.clock, patience)

    def fail(self) -> None:
        def fail() -> None:
            raise OSError("no such command")

        self.source.fail = fail


def test_keys_without_an_end_are_never_asked_for_again() -> None:
    """As with keys of the environment: no thread, and no end."""
    threads = threading.active_count()
    identity = static_identity()

    identity.start()

    assert threads == threading.active_count()
    assert ("AKIA", 0.0, False) == (identity.keys().access_key, identity.expires_at, identity.has_expired)


def botocores(expires_at: datetime, refresh: Callable[[], dict[str, str]]) -> RefreshableCredentials:
    """Return credentials as botocore makes them for SSO, roles, processes, containers and instances."""
    return RefreshableCredentials("ASIA1", "s", "t", expires_at, refresh, "sso")


def test_the_end_is_that_of_botocore() -> None:
    """It has no public name, so a newer botocore might hide it."""
    assert 4070908800.0 == Identity(botocores(datetime(2099, 1, 1, tzinfo=timezone.utc), dict)).expires_at


def test_botocore_refreshes_in_the_last_quarter_of_an_hour() -> None:
    """As the pause assumes; the new keys have a new end."""
    new = {"access_key": "ASIA2", "secret_key": "s", "token": "t", "expiry_time": "2099-01-01T00:00:00Z"}
    identity = Identity(botocores(datetime.now(timezone.utc) + timedelta(minutes=14), lambda: new))

    identity.refresh()

    assert ("ASIA2", 4070908800.0) == (identity.keys().access_key, identity.expires_at)


def test_a_failure_that_botocore_would_hide_is_counted() -> None:
    """It speaks of failures in the last ten minutes only."""

    def fail() -> dict[str, str]:
        raise OSError("no such command")

    source = botocores(datetime.now(timezone.utc) + timedelta(minutes=20), fail)
    identity = Identity(source)
    source._expiry_time -= timedelta(minutes=6)

    identity.refresh()

    assert 1 == identity.refreshes["error"]


@pytest.mark.parametrize(
    ("lifetime", "passed", "pause"),
    [
        (12 * HOUR, 0.0, 12 * HOUR - 900.0),
        (HOUR, 0.0, 2700.0),
        (900.0, 0.0, 450.0),
        (20.0, 0.0, 10.0),
        (HOUR, 2000.0, 700.0),
        # The source has not given new ones.
        (HOUR, 2700.0, 60.0),
        (HOUR, 3560.0, 10.0),
        (HOUR, 2 * HOUR, 1.0),
    ],
)
def test_the_source_is_asked_in_the_second_half_of_a_life(lifetime: float, passed: float, pause: float) -> None:
    """Not before botocore would ask, and ever more often towards the end."""
    life = Life(lifetime)
    life.clock.now += passed

    assert pause == life.identity.pause()


def test_a_refresh_puts_new_keys_in_force() -> None:
    """Whoever asks next gets them."""
    life = Life(HOUR)
    life.source.key, life.source.expires_at = "ASIA2", NOW + 2 * HOUR

    life.identity.refresh()

    assert ("ASIA2", NOW + 2 * HOUR) == (life.identity.keys().access_key, life.identity.expires_at)
    assert {"ok": 1, "error": 0} == life.identity.refreshes


def test_old_keys_stay_in_force_until_they_expire() -> None:
    """A failure is counted; the keys are still good."""
    life = Life(HOUR)
    life.fail()

    life.identity.refresh()

    assert "ASIA1" == life.identity.keys().access_key
    assert {"ok": 0, "error": 1} == life.identity.refreshes
    life.clock.now += HOUR
    assert life.identity.has_expired
    with pytest.raises(AWS_ERRORS, match="fake: they expired at 2023-11-14T23:13:20Z"):
        life.identity.keys()


def test_failures_in_a_row_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """And the success that ends them."""
    life = Life(HOUR)
    caplog.set_level(logging.INFO)
    life.fail()
    for _ in range(3):
        life.identity.refresh()
    life.source.fail = lambda: None
    for _ in range(2):
        life.identity.refresh()

    expire = {"expire": "2023-11-14T23:13:20Z"}
    assert [
        (
            logging.WARNING,
            "Cannot refresh the AWS credentials; trying again",
            {"error": "no such command.", **expire},
        ),
        (logging.INFO, "The AWS credentials are refreshed again", expire),
    ] == events(caplog)


def test_a_source_that_hangs_fails() -> None:
    """A second attempt does not wait for it, and threads do not pile up."""
    life = Life(HOUR, patience=0.01)
    hanging = threading.Event()
    life.source.fail = hanging.wait

    for _ in range(3):
        life.identity.refresh()
    hanging.set()

    assert {"ok": 0, "error": 3} == life.identity.refreshes
    # The first attempt and the question at the start.
    assert 2 == life.source.asked


def test_the_thread_asks_in_time() -> None:
    """The keys of a source with short lives are always good."""
    life = Life(0.0)
    life.identity.start()

    asked = eventually(lambda: life.source.asked > 1)
    life.identity.stop()

    assert asked


def test_keys_do_not_show_their_secrets() -> None:
    """Whatever prints them."""
    assert "Keys(expires_at=None, account_id='')" == repr(static_identity().keys())
