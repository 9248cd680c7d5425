"""What the pages show of a running instance: its state for /metrics, and the reasons for not healthy or not ready.

The threads of the web server call it, so each call opens its own ledger connection. Of an earlier scrape it keeps only
the series, which the next one uses if they have not changed. A scrape fails only if the ledger can't be read, with
`LedgerError`; damage is noted, which ends the instance.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from kcl_flowlog.commits.damage import DamageNote, LedgerError
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.totals import SeenTotals, Totals
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.state import FileSystem, InstanceState, ShardState
from kcl_flowlog.inventory.coverage import Coverage
from kcl_flowlog.inventory.delivery_errors import DELIVERY_ERRORS
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.launcher.inbox import HeldShard

log = logging.getLogger(__name__)

OpenLedger = Callable[[], Ledger]
"""Opens another connection to the ledger."""

_SHARING = {True: "same", False: "different"}
_MOST_NAMED = 5


class ShardSource(Protocol):
    """Knows the shards held here, such as `kcl_flowlog.launcher.inbox.Inbox`."""

    def shards(self) -> Sequence[HeldShard]:
        """Return the shards held now."""


class InventorySource(Protocol):
    """Knows what EC2 reported, such as `kcl_flowlog.inventory.keeper.InventoryKeeper`."""

    current: Inventory
    overlaps: list[Overlap]
    coverage: Coverage
    refreshes: Counter[str]

    @property
    def has_inventory(self) -> bool:
        """Whether there is any inventory, fresh or saved."""


class DaemonSource(Protocol):
    """Knows how the daemon is, such as `kcl_flowlog.launcher.supervisor.Supervisor`."""

    restarts: Counter[str]

    @property
    def is_up(self) -> bool:
        """Whether a daemon runs and is initialised."""


class StreamSource(Protocol):
    """Knows the stream, such as `kcl_flowlog.launcher.open_shards.OpenShards`."""

    number: int | None


class ReadingSource(Protocol):
    """Knows which shards wait to be read, such as `kcl_flowlog.launcher.own_shards.OwnShards`."""

    def unread(self) -> list[str] | None:
        """Return the own shards that have not been read since the start; None if that is unknown."""


class DiskSource(Protocol):
    """Knows the file system of the state directory, such as `kcl_flowlog.launcher.free_space.FreeSpace`."""

    def read(self) -> FileSystem | None:
        """Return it as it is now; None if unknown."""


class DistinctSource(Protocol):
    """Knows distinct numbers by subnet, such as `kcl_flowlog.launcher.who_keeper.WhoKeeper`."""

    @property
    def distinct(self) -> Mapping[str, tuple[int, int]]:
        """The numbers of sources and of ports."""


class CredentialsSource(Protocol):
    """Knows how the credentials are, such as `kcl_flowlog.inventory.identity.Identity`."""

    refreshes: Counter[str]

    @property
    def expires_at(self) -> float:
        """When they expire, in Unix seconds; 0 if they never do."""

    @property
    def has_expired(self) -> bool:
        """Whether they have expired."""


class Status:
    """Answers for one instance. `stuck_after` is in seconds; `build` holds the versions to show."""

    def __init__(
        self,
        open_ledger: OpenLedger,
        inventory: InventorySource,
        shards: ShardSource,
        daemon: DaemonSource,
        credentials: CredentialsSource,
        stuck_after: float,
        build: Mapping[str, str],
        damage: DamageNote,
        open_shards: StreamSource,
        own_shards: ReadingSource,
        disk: DiskSource,
        monotonic: Callable[[], float] = time.monotonic,
        who: DistinctSource | None = None,
    ) -> None:
        self._who = who
        self._open_ledger = open_ledger
        self._inventory = inventory
        self._shards = shards
        self._daemon = daemon
        self._credentials = credentials
        self._stuck_after = stuck_after
        self._build = build
        self._damage = damage
        self._open_shards = open_shards
        self._own_shards = own_shards
        self._disk = disk
        self._monotonic = monotonic
        self._seen = SeenTotals()

    @property
    def open_shards(self) -> int | None:
        """How many open shards the stream has, None if unknown."""
        return self._open_shards.number

    def shard_states(self) -> list[ShardState]:
        """Return the shards that this instance holds."""
        return [_shard_state(shard) for shard in self._shards.shards()]

    def read_totals(self) -> Totals:
        """Return the totals as of now. Raises `LedgerError`."""
        try:
            with self._open_ledger() as ledger:
                return ledger.totals(self._seen)
        except LedgerError as error:
            self._damage.take(error)
            raise

    def read_state(self) -> InstanceState:
        """Return everything that a scrape shows, as of now. Raises `LedgerError`."""
        totals = self.read_totals()
        coverage = self._inventory.coverage
        return InstanceState(
            totals=totals,
            inventory=self._inventory.current,
            overlaps=Counter(_SHARING[overlap.same_log_group] for overlap in self._inventory.overlaps),
            delivery_errors=_delivery_errors(coverage),
            subnets_without_flow_logs=None if coverage.uncovered is None else len(coverage.uncovered),
            open_shards=self.open_shards,
            file_system=self._disk.read(),
            shards=self.shard_states(),
            inventory_refreshes=dict(self._inventory.refreshes),
            daemon_up=self._daemon.is_up,
            daemon_restarts=dict(self._daemon.restarts),
            credentials_refreshes=dict(self._credentials.refreshes),
            credentials_expire_at=self._credentials.expires_at,
            build=self._build,
            rejected_distinct={} if self._who is None else dict(self._who.distinct),
        )

    def why_unhealthy(self) -> list[str]:
        """Return a sentence for each processor that hangs; none means healthy."""
        latest = self._monotonic() - self._stuck_after
        return [
            f"The processor of {shard.shard_id} has not called back for over {self._stuck_after:g} s."
            for shard in self._shards.shards()
            if shard.heard_at < latest
        ]

    def why_not_ready(self) -> list[str]:
        """Return a sentence for each thing that is still missing; none means ready."""
        reasons = []
        if not self._inventory.has_inventory:
            reasons.append("The inventory has not been read from EC2 yet.")
        if self._credentials.has_expired:
            reasons.append("The AWS credentials have expired, and their source gives no new ones.")
        if not self._daemon.is_up:
            reasons.append("The daemon is not initialised yet.")
        unread = self._own_shards.unread()
        if unread is None:
            reasons.append("The lease table has not been read yet.")
        elif unread:
            named = ", ".join(unread[:_MOST_NAMED]) + (", …" if len(unread) > _MOST_NAMED else "")
            reasons.append(f"Own shards that have not been read since the start: {len(unread)} ({named}).")
        return reasons


def _delivery_errors(coverage: Coverage) -> dict[str, int] | None:
    if coverage.failing is None:
        return None
    return {**dict.fromkeys(DELIVERY_ERRORS, 0), **Counter(flow_log.reason for flow_log in coverage.failing)}


def _shard_state(shard: HeldShard) -> ShardState:
    heartbeat = shard.heartbeat
    if heartbeat is None:
        return ShardState(shard.shard_id, None, 0.0, 0.0, shard.last_callback_at)
    return ShardState(
        shard.shard_id, heartbeat.lag, heartbeat.last_record_at, heartbeat.last_checkpoint_at, shard.last_callback_at
    )


def note_shown(open_ledger: OpenLedger, damage: DamageNote, birth: int) -> bool:
    """Note in the ledger that pages show the value of every series up to `birth`; return whether that worked."""
    try:
        with open_ledger() as ledger:
            ledger.note_shown(birth)
    except LedgerError as error:
        damage.take(error)
        log.warning(
            "The ledger can't be written; new series show 0 until it can", extra={"fields": {"error": str(error)}}
        )
        return False
    return True
