"""What a scrape shows, as plain data. The launcher fills it; the collector turns it into metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting.subnets import Inventory


class ShardState(NamedTuple):
    """A shard that this instance holds.

    `lag` is in seconds, None if unknown. Times are Unix seconds, 0 if it has not happened yet.
    """

    shard_id: str
    lag: float | None
    last_record_at: float
    last_checkpoint_at: float
    last_callback_at: float


class FileSystem(NamedTuple):
    """A file system, in bytes: its `size`, and what this user can still write."""

    size: int
    available: int


@dataclass(frozen=True)
class InstanceState:
    """Everything that a scrape of an instance shows.

    `inventory_refreshes`, `overlaps`, `daemon_restarts` and `credentials_refreshes` are numbers by the value of their
    metric's label; `credentials_expire_at` is in Unix seconds, 0 for never; `build` holds versions by component.
    `rejected_distinct` has the numbers of sources and ports by subnet; empty if they are not counted.
    `file_system` holds the state directory. It, `open_shards`, `delivery_errors` and `subnets_without_flow_logs` are
    None if unknown.
    """

    totals: Totals
    inventory: Inventory
    shards: Sequence[ShardState] = ()
    inventory_refreshes: Mapping[str, int] = field(default_factory=dict)
    overlaps: Mapping[str, int] = field(default_factory=dict)
    delivery_errors: Mapping[str, int] | None = None
    subnets_without_flow_logs: int | None = None
    open_shards: int | None = None
    file_system: FileSystem | None = None
    daemon_up: bool = False
    daemon_restarts: Mapping[str, int] = field(default_factory=dict)
    credentials_refreshes: Mapping[str, int] = field(default_factory=dict)
    credentials_expire_at: float = 0.0
    build: Mapping[str, str] = field(default_factory=dict)
    rejected_distinct: Mapping[str, tuple[int, int]] = field(default_factory=dict)
