"""Through the real MultiLangDaemon: an SSO profile, whose credentials rotate and expire while the instance runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.world_builder import build_world
from kcl_flowlog.launcher.credentials_endpoint import CREDENTIAL_VARIABLES
from tests.support.instance import PAGE_TIMEOUT, Instance
from tests.support.measuring import unmeasured
from tests.support.scenario import Scenario
from tests.support.sso import SsoPortal
from tests.support.waiting import eventually

pytestmark = pytest.mark.daemon

SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", *CREDENTIAL_VARIABLES}
# Real credentials live for 15 minutes at least. They are renewed in the second half of their life.
LIFETIME = 60.0


@pytest.fixture
def portal() -> Iterator[SsoPortal]:
    with SsoPortal(LIFETIME) as running:
        yield running


@pytest.fixture
def scenario(tmp_path: Path, portal: SsoPortal) -> Iterator[Scenario]:
    """An AWS that refuses expired keys, and an instance whose user has logged in at the portal."""
    with ExitStack() as stack:
        with unmeasured():
            aws = stack.enter_context(EmbeddedAWS(argv=(sys.executable, "-m", "tests.support.strict_aws")))
        world = build_world(aws.client, aws.region)
        given = {name: value for name, value in aws.environment().items() if name not in SECRETS}
        instance = Instance({**given, **portal.log_in(tmp_path / "home")}, world.stream, tmp_path)
        stack.callback(instance.kill)
        yield Scenario(aws, world, instance, stack)


def secrets_of(process: psutil.Process) -> set[str]:
    """Return the names of the credentials in the environment that a process was started with."""
    return SECRETS & set(process.environ())


def test_an_sso_profile_counts_the_same_while_its_credentials_rotate_and_expire(
    scenario: Scenario, portal: SsoPortal
) -> None:
    """The daemon, whose library knows no SSO, gets each new key; after an outage of the portal it goes on by itself."""
    instance = scenario.instance
    scenario.put(2000)
    instance.start()
    scenario.wait_for_shards()
    scenario.verify_counts()

    daemon = instance.daemon()
    assert daemon is not None
    assert set(CREDENTIAL_VARIABLES) == secrets_of(daemon)
    assert [set()] * 2 == [secrets_of(processor) for processor in instance.processors()]

    issued = portal.issued
    with scenario.putting():
        assert eventually(lambda: portal.issued >= issued + 2, PAGE_TIMEOUT), instance.log
    scenario.verify_counts()

    portal.is_down = True
    assert eventually(lambda: "The AWS credentials have expired" in instance.answer("/-/ready"), PAGE_TIMEOUT)
    assert 'flowlog_credentials_refreshes_total{outcome="error"} 0.0' not in instance.answer("/metrics")
    scenario.put(1000)
    portal.is_down = False
    scenario.verify_counts()
    assert "expired" not in instance.answer("/-/ready")
    instance.stop()
