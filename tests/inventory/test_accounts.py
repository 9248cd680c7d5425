"""The accounts and regions that the settings name."""

from __future__ import annotations

import pytest

from kcl_flowlog.config import Config
from kcl_flowlog.counting.subnets import Source
from kcl_flowlog.errors import ConfigError
from kcl_flowlog.inventory.accounts import source_readers
from kcl_flowlog.inventory.aws import Aws

ROLE = "arn:aws:iam::222222222222:role/r"


class FakeAws(Aws):
    """AWS that opens anything, and records what."""

    def __init__(self) -> None:
        super().__init__("eu-west-1", {})
        self.opened: list[tuple[str, str]] = []

    def ec2(self, region: str, role: str = "") -> tuple[str, object]:
        self.opened.append((region, role))
        return "", None


def config(roles: tuple[str, ...] = (), regions: tuple[str, ...] = ()) -> Config:
    return Config(stream="flow-logs", inventory_role=roles, inventory_region=regions)


def test_the_default_is_the_account_of_the_credentials_in_the_region_of_the_stream() -> None:
    """Its account id is unknown until its client is opened."""
    assert [Source("eu-west-1", "", "eu-west-1")] == [reader.source for reader in source_readers(config(), FakeAws())]


def test_every_account_is_read_in_every_region() -> None:
    """The account of the credentials comes first; a region that is named twice is read once."""
    readers = source_readers(config((ROLE,), ("us-west-2", "eu-central-1", "us-west-2")), FakeAws())

    assert [
        Source("us-west-2", "", "us-west-2"),
        Source("eu-central-1", "", "eu-central-1"),
        Source(f"{ROLE} us-west-2", "222222222222", "us-west-2"),
        Source(f"{ROLE} eu-central-1", "222222222222", "eu-central-1"),
    ] == [reader.source for reader in readers]


def test_a_reader_opens_its_own_source() -> None:
    """Nothing is opened before that."""
    aws = FakeAws()
    readers = source_readers(config((ROLE,), ("us-west-2",)), aws)
    before = list(aws.opened)

    for reader in readers:
        reader.open()

    assert [] == before
    assert [("us-west-2", ""), ("us-west-2", ROLE)] == aws.opened


@pytest.mark.parametrize(
    ("roles", "regions", "option"),
    [(("inventory",), (), "--inventory-role"), ((), ("middle-earth",), "--inventory-region")],
)
def test_an_invalid_setting_is_a_config_error(roles: tuple[str, ...], regions: tuple[str, ...], option: str) -> None:
    """The sentence names the option."""
    with pytest.raises(ConfigError, match=option):
        source_readers(config(roles, regions), FakeAws())
