"""A fleet of the product in one thread: its counters, ledgers, who-keepers and pages, without daemon and processes.

The test gives the time and the payloads. Each log stream goes to one shard, and each shard to one instance.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.config import settings
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.subnets import Interface, Inventory, Source, Subnet
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.demo.envelopes import Envelope
from kcl_flowlog.demo.world import World
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import renderer
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.state import FileSystem, InstanceState, ShardState
from kcl_flowlog.launcher.who_keeper import WhoKeeper
from tests.support.clocks import FakeClock
from tests.support.ledgers import commit

HOLD = 10.0
LABELS = ("protocol", "peer", "interface_type")


class _Shard:
    """A shard that an instance holds: its counter, and the commits to the ledger."""

    def __init__(self, ledger: Ledger, generation: int, shard_id: str, index: Index) -> None:
        self.shard_id = shard_id
        self._ledger = ledger
        self._claim = ledger.claim(shard_id, generation)
        watched = settings()["watched_ports"].default_value()
        self._counter = PayloadCounter(Formats(), Attributor(index), watched, 1_000_000)
        self._delta = Delta(Collector())
        self._position = 0

    def count(self, envelope: Envelope, now: float) -> None:
        """Count a payload."""
        self._position += 1
        origin = PayloadOrigin(self.shard_id, Position(str(self._position)))
        self._counter.add(envelope.data, origin, now, self._delta)

    def commit(self, now: float) -> None:
        """Commit what was counted."""
        self._counter.finish(now, self._delta)
        delta, self._delta = self._delta, Delta(Collector())
        if delta.who is not None:
            delta.sketch = sketches.encode(delta.who.take(int(now // STEP)))
        commit(self._ledger, self._claim, str(self._position), delta)


class CountingInstance:
    """An instance that holds some shards."""

    def __init__(
        self, path: Path, shard_ids: Sequence[str], read_inventory: Callable[[], Inventory], clock: FakeClock
    ) -> None:
        self._ledger = Ledger(path)
        generation = self._ledger.begin_generation()
        index = Index(read_inventory())
        self.shards = {each: _Shard(self._ledger, generation, each, index) for each in shard_ids}
        self._read_inventory = read_inventory
        self._clock = clock
        self._who = WhoKeeper(partial(Ledger, path), DamageNote(), clock)
        collector = FlowlogCollector(self._state, LABELS, NewSeries(HOLD, clock=clock))
        self._render = renderer(metrics_registry(collector))

    def commit(self) -> None:
        """Commit all shards, and add who sent what."""
        for shard in self.shards.values():
            shard.commit(self._clock())
        self._who.step()

    def page(self) -> str:
        """Return the metrics page."""
        return b"".join(self._render("", {})[1]).decode()

    def close(self) -> None:
        """Close the ledger."""
        self._ledger.close()

    def _state(self) -> InstanceState:
        now = self._clock()
        return InstanceState(
            totals=self._ledger.totals(),
            inventory=self._read_inventory(),
            shards=[ShardState(each, 0.5, now - 0.5, now, now) for each in self.shards],
            overlaps={"same": 0, "different": 0},
            delivery_errors={},
            subnets_without_flow_logs=0,
            open_shards=4,
            file_system=FileSystem(2**30, 2**29),
            daemon_up=True,
            rejected_distinct=dict(self._who.distinct),
        )


class CountingFleet:
    """Two instances with two shards each."""

    def __init__(self, folder: Path, world: World, clock: FakeClock) -> None:
        def read_inventory() -> Inventory:
            return inventory_of(world, clock())

        names = [f"shardId-{number:012}" for number in range(4)]
        self.instances = {
            name: CountingInstance(folder / name, held, read_inventory, clock)
            for name, held in (("a", names[:2]), ("b", names[2:]))
        }
        self._shards = [shard for each in self.instances.values() for shard in each.shards.values()]
        self._clock = clock

    def put(self, envelopes: Sequence[Envelope]) -> None:
        """Count payloads, each on the shard of its log stream."""
        for envelope in envelopes:
            self._shards[zlib.crc32(envelope.log_stream.encode()) % len(self._shards)].count(envelope, self._clock())

    def commit(self) -> None:
        """Commit all shards."""
        for instance in self.instances.values():
            instance.commit()

    def close(self) -> None:
        """Close the ledgers."""
        for instance in self.instances.values():
            instance.close()


def inventory_of(world: World, now: float) -> Inventory:
    """Return what EC2 says at a moment about the demo's world."""
    types = {**dict.fromkeys(world.interfaces, "interface"), **dict.fromkeys(world.nat_gateways, "nat_gateway")}
    return Inventory(
        now,
        tuple(
            Subnet(each.id, each.vpc_id, each.zone_id, each.cidr, name=each.name, region="eu-west-1", source="here")
            for each in world.subnets
        ),
        tuple(
            Interface(
                *(each.id, each.subnet.id, each.subnet.vpc_id, (*each.ipv4, *each.ipv6)),
                interface_type=word,
                source="here",
            )
            for each, word in types.items()
        ),
        (),
        (Source("here", world.account_id, "eu-west-1", now),),
    )
