"""What the page at / gets from the parts of an instance."""

from __future__ import annotations

import msgspec
import pytest

from kcl_flowlog.commits.totals import Totals, TrafficTotal
from kcl_flowlog.counting.delta import Traffic
from kcl_flowlog.counting.subnets import Inventory, Source, Subnet
from kcl_flowlog.exporter.state import ShardState
from kcl_flowlog.launcher.overviews import Overviews
from kcl_flowlog.launcher.sampler import Sampler
from kcl_flowlog.web.overview import Overview, SettingLine, ShardLine, SourceLine
from tests.support.launcher_fakes import INVENTORY, FakeDaemonState, FakeInventory

SETTINGS = [SettingLine("--stream", "flow-logs", False)]


class FakeStream:
    """A stream of four open shards, of which one is read here."""

    open_shards: int | None = 4

    def shard_states(self) -> list[ShardState]:
        return [ShardState("shardId-0", 4.5, 48.0, 45.0, 50.0)]


class FakeDistinct:
    """Counts distinct names of one subnet."""

    def __init__(self) -> None:
        self.distinct = {"subnet-a": (7, 2)}


class Parts:
    """The parts of an instance, which the test sets."""

    def __init__(self, has_who: bool = True) -> None:
        self.inventory = FakeInventory()
        self.daemon = FakeDaemonState()
        self.size = 0
        self.sampler = Sampler(self.totals, lambda: 90.0)
        who = FakeDistinct() if has_who else None
        self.overviews = Overviews(
            {"version": "1.2.3"}, SETTINGS, self.inventory, FakeStream(), self.daemon, self.sampler, who, lambda: 100.0
        )

    def totals(self) -> Totals:
        names = ("subnet-a", "subnet-x")
        series = [Traffic(name, "egress", "accept", "tcp", "internet") for name in names]
        return Totals([TrafficTotal(each, 1, 1, self.size, 1) for each in series], [], {}, {})

    def sample(self) -> None:
        self.sampler.step()
        self.size += 300

    def read(self) -> Overview:
        return self.overviews.read()


def test_an_overview_has_what_each_part_knows() -> None:
    parts = Parts()
    sources = (Source("here", "1", "eu-central-1", 61.0, vpcs_listed=False),)
    parts.inventory.current = Inventory(1.0, INVENTORY.subnets, sources=sources)
    parts.sample()

    found = parts.read()

    assert (100.0, (("version", "1.2.3"),), SETTINGS) == (found.now, found.identity, found.settings)
    assert ([ShardLine("shardId-0", 4.5, 48.0, 45.0)], 4) == (found.shards, found.open_shards)
    assert ([SourceLine("1", "eu-central-1", 61.0, ("ec2:DescribeVpcs",))], 1, 0) == (
        found.sources,
        found.subnets,
        found.interfaces,
    )
    assert found.books is not None
    assert 90.0 == found.books.at


@pytest.mark.parametrize(
    ("has_who", "of_known", "of_unknown"), [(True, (7, 2), (0, 0)), (False, (None, None), (None, None))]
)
def test_the_traffic_of_a_subnet_has_its_names(
    has_who: bool, of_known: tuple[int | None, ...], of_unknown: tuple[int | None, ...]
) -> None:
    """A subnet that the inventory lacks has no name."""
    parts = Parts(has_who)
    subnet = msgspec.structs.replace(INVENTORY.subnets[0], name="web", vpc_name="shop")
    parts.inventory.current = Inventory(1.0, (subnet,))
    parts.sample()
    parts.sample()

    traffic = parts.read().traffic

    assert (1, [600.0]) == (traffic.minutes, list(traffic.all.egress))
    assert [("subnet-a", "web", "shop", *of_known), ("subnet-x", "", "", *of_unknown)] == [
        (*line[:3], *line[4:]) for line in traffic.subnets
    ]


def test_a_vpc_without_a_name_shows_its_id() -> None:
    parts = Parts()
    parts.inventory.current = Inventory(1.0, (Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24"),))
    parts.sample()
    parts.sample()

    assert "vpc-1" == parts.read().traffic.subnets[0].vpc


@pytest.mark.parametrize(
    ("has_inventory", "is_up", "restarts", "begin"),
    [
        (True, True, {}, ""),
        (True, True, {"exited": 3}, ""),
        (False, False, {}, "The inventory is being read from EC2."),
        (True, False, {}, "The KCL daemon is starting. The first start takes up to a minute"),
        (True, False, {"exited": 2, "killed": 1}, "The KCL daemon is being started again; restarts of this instance"),
    ],
)
def test_a_start_is_told_in_a_sentence(has_inventory: bool, is_up: bool, restarts: dict[str, int], begin: str) -> None:
    parts = Parts()
    parts.inventory.has_inventory, parts.daemon.is_up = has_inventory, is_up
    parts.daemon.restarts.update(restarts)

    found = parts.read().starting

    assert found.startswith(begin)
    assert bool(begin) == bool(found)
    assert ("3" in found) == (bool(restarts) and not is_up)
