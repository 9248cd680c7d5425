"""Puts together what the page at / shows, from what the parts of the instance know. Reads no file; never waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kcl_flowlog.counting.subnets import Inventory, Source, Subnet
from kcl_flowlog.exporter.state import ShardState
from kcl_flowlog.inventory.problems import missing_actions
from kcl_flowlog.launcher.sampler import Sampler
from kcl_flowlog.launcher.status import DaemonSource, DistinctSource, InventorySource
from kcl_flowlog.web.overview import Minutes, Overview, SettingLine, ShardLine, SourceLine, SubnetTraffic, Traffic

_READING = "The inventory is being read from EC2. The KCL daemon starts after that."
_FIRST_START = "The KCL daemon is starting. The first start takes up to a minute until shards are leased."
_NEXT_START = "The KCL daemon is being started again; restarts of this instance so far: {}. The log says why."


class StreamState(Protocol):
    """Knows the shards, such as `kcl_flowlog.launcher.status.Status`."""

    def shard_states(self) -> Sequence[ShardState]:
        """Return the shards that this instance holds."""

    @property
    def open_shards(self) -> int | None:
        """How many open shards the stream has, None if unknown."""


class Overviews:
    """Makes overviews of one instance; `identity` and `settings` never change."""

    def __init__(
        self,
        identity: Mapping[str, str],
        settings: Sequence[SettingLine],
        inventory: InventorySource,
        stream: StreamState,
        daemon: DaemonSource,
        sampler: Sampler,
        who: DistinctSource | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._identity = tuple(identity.items())
        self._settings = settings
        self._inventory = inventory
        self._stream = stream
        self._daemon = daemon
        self._sampler = sampler
        self._who = who
        self._clock = clock

    def read(self) -> Overview:
        """Return the overview of now."""
        inventory = self._inventory.current
        return Overview(
            self._clock(),
            self._identity,
            self._starting(),
            [ShardLine(*shard[:4]) for shard in self._stream.shard_states()],
            self._stream.open_shards,
            len(inventory.subnets),
            len(inventory.interfaces),
            [_source_line(source) for source in inventory.sources],
            self._sampler.books,
            self._traffic(inventory),
            self._settings,
        )

    def _starting(self) -> str:
        if self._daemon.is_up:
            return ""
        if not self._inventory.has_inventory:
            return _READING
        restarts = Counter(self._daemon.restarts).total()
        return _NEXT_START.format(restarts) if restarts else _FIRST_START

    def _traffic(self, inventory: Inventory) -> Traffic:
        minutes, of_all, of_each = self._sampler.traffic.read()
        known = {subnet.subnet_id: subnet for subnet in inventory.subnets}
        return Traffic(
            minutes, of_all, [self._subnet_traffic(name, known.get(name), each) for name, each in of_each.items()]
        )

    def _subnet_traffic(self, subnet_id: str, subnet: Subnet | None, minutes: Minutes) -> SubnetTraffic:
        name, vpc = ("", "") if subnet is None else (subnet.name, subnet.vpc_name or subnet.vpc_id)
        if self._who is None:
            return SubnetTraffic(subnet_id, name, vpc, minutes)
        return SubnetTraffic(subnet_id, name, vpc, minutes, *self._who.distinct.get(subnet_id, (0, 0)))


def _source_line(source: Source) -> SourceLine:
    return SourceLine(source.account_id, source.region, source.taken_at, tuple(missing_actions(source)))
