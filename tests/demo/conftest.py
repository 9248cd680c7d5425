"""An embedded AWS and the world in it, for all tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kcl_flowlog.demo.embedded_aws import EmbeddedAWS
from kcl_flowlog.demo.world import World
from kcl_flowlog.demo.world_builder import build_world


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAWS]:
    """A running AWS."""
    with EmbeddedAWS() as running:
        yield running


@pytest.fixture(scope="session")
def world(aws: EmbeddedAWS) -> World:
    """The demo's network, made in the AWS."""
    return build_world(aws.client, aws.region)
