"""The steps of a schedule, and what they do. A step that is not possible at its moment does nothing and returns False.

So any part of a schedule is a schedule, which is what cutting it down needs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulation.daemon import Daemon
from tests.simulation.instance import HOLD, Databases, Launcher, World, open_ledger
from tests.simulation.kcl import TABLE, assign, create_if_missing, lease_row
from tests.simulation.prometheus import Prometheus
from tests.simulation.stream import Stream, counted
from tests.simulation.tasks import Task

ROOTS = ("s0", "s1")
NAMES = ("A", "B", "C")
DAY = 86_400.0

Step = tuple[Any, ...]
"""The name of a step and its arguments."""


@dataclass
class Instance:
    """An instance: its state directory, and what runs over it."""

    name: str
    directory: Path
    launcher: Launcher | None = None
    daemon: Daemon | None = None
    settling: Task | None = None
    # What its ledger held when it began: of a copied directory, what the other ledger has counted.
    base: int = 0
    # What the last page showed.
    shown: int = 0

    @property
    def is_running(self) -> bool:
        """Whether its launcher runs."""
        return self.launcher is not None


@dataclass
class Losses:
    """What docs/guarantees.md lets go: payloads that the loss of a state directory may take with it."""

    prepared: Counter[int] = field(default_factory=Counter)
    unscraped: Counter[int] = field(default_factory=Counter)


class Simulation:
    """A fleet on one stream; the methods whose names begin with `do_` are the steps."""

    def __init__(
        self, folder: Path, databases: Databases, initial_position: str = "trim-horizon", interval: float = 0.0
    ) -> None:
        self.world = World(folder, databases, initial_position, interval)
        self.stream = Stream(ROOTS)
        self.prometheus = Prometheus()
        # C is a clone, if there is any.
        self.instances = {name: Instance(name, folder / f"state-{name}") for name in NAMES}
        self.snapshots: dict[str, Path] = {}
        self.first_start: float | None = None
        self.retired = 0
        self.losses = Losses()
        self._directories = 0

    # The stream

    def do_put(self, shard_id: str) -> bool:
        """Put a record with a new payload on a shard."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or self.stream.is_full:
            return False
        self.stream.put(shard_id, self.world.now)
        return True

    def do_copy(self, shard_id: str) -> bool:
        """Put the payload of a shard's last record on it again."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or not shard.records:
            return False
        self.stream.put_copy(shard_id, self.world.now)
        return True

    def do_split(self, shard_id: str) -> bool:
        """Split a shard."""
        shard = self.stream.shards.get(shard_id)
        if shard is None or shard.children or len(self.stream.shards) > 4:
            return False
        self.stream.split(shard_id)
        return True

    # The life of an instance

    def do_start(self, name: str) -> bool:
        """Start an instance: launcher and daemon."""
        instance = self._instance(name)
        if instance.is_running or (name == "C" and not instance.directory.exists()):
            return False
        instance.launcher = Launcher(name, instance.directory, self.world)
        if self.first_start is None:
            self.first_start = self.world.now + self.world.leaps.get(name, 0.0)
        self._begin_daemon(instance)
        # A ledger that begins anew in a copied directory counts from 0.
        instance.base = min(instance.base, instance.launcher.ledger.bytes_counted())
        return True

    def do_restart(self, name: str) -> bool:
        """Replace an instance's daemon, as the launcher does when a processor or the daemon has died."""
        instance = self._instance(name)
        if instance.daemon is None or (instance.daemon.is_alive and not instance.daemon.is_ending):
            return False
        instance.daemon.kill_all()
        self._begin_daemon(instance)
        return True

    def do_kill(self, name: str) -> bool:
        """Kill launcher, daemon and processors at once."""
        instance = self._instance(name)
        if instance.launcher is None:
            return False
        self._end(instance)
        return True

    def do_kill_daemon(self, name: str) -> bool:
        """Kill the daemon alone."""
        daemon = self._instance(name).daemon
        if daemon is None or not daemon.is_alive:
            return False
        daemon.kill()
        return True

    def do_kill_processor(self, name: str, shard_id: str) -> bool:
        """Kill the processor of a shard."""
        daemon = self._instance(name).daemon
        return daemon is not None and daemon.is_alive and daemon.kill_processor(shard_id)

    def do_stop(self, name: str) -> bool:
        """Stop an instance in order, with last commits and last pages."""
        instance = self._instance(name)
        launcher, daemon = instance.launcher, instance.daemon
        if launcher is None or daemon is None:
            return False
        if daemon.is_alive:
            daemon.request_shutdown()
            for shard_id in sorted(self.stream.shards):
                for is_older in (True, False):
                    daemon.read(shard_id, is_older=is_older)
            daemon.dispatch()
            for shard_id in sorted(self.stream.shards):
                daemon.read(shard_id)
        daemon.kill_all()
        Task("finish", launcher.finish).run()
        self._show_all(instance)
        self._end(instance)
        return True

    # State directories

    def do_lose_directory(self, name: str) -> bool:
        """Lose the state directory of an instance that does not run; the next has another worker id."""
        instance = self._instance(name)
        if instance.is_running or not instance.directory.exists():
            return False
        self._retire(instance)
        self.world.remove_directory(instance.directory)
        instance.base = instance.shown = 0
        return True

    def do_snapshot(self, name: str) -> bool:
        """Keep a copy of a state directory."""
        instance = self._instance(name)
        if not instance.directory.exists():
            return False
        self.snapshots[name] = self.world.folder / f"snapshot-{name}"
        self.world.copy_directory(instance.directory, self.snapshots[name])
        return True

    def do_restore(self, name: str) -> bool:
        """Replace the state directory of an instance that does not run by the copy that was kept."""
        instance = self._instance(name)
        if instance.is_running or name not in self.snapshots:
            return False
        self._retire(instance)
        self.world.copy_directory(self.snapshots[name], instance.directory)
        instance.base = instance.shown = self._ledger_bytes(instance)
        return True

    def do_clone(self, name: str, other: str) -> bool:
        """Start another instance on a copy of a state directory, while the first goes on if it runs."""
        instance, clone = self._instance(name), self._instance(other)
        if name == other or clone.is_running or not instance.directory.exists():
            return False
        if clone.directory.exists():
            self._retire(clone)
        self.world.copy_directory(instance.directory, clone.directory)
        clone.base = clone.shown = self._ledger_bytes(clone)
        self.do_start(other)
        # Prometheus has to see where its series begin.
        self._show_all(clone)
        return True

    # The leases

    def do_give(self, shard_id: str, name: str) -> bool:
        """Let a leader give the lease of a shard to an instance, whether it runs or not."""
        instance = self._instance(name)
        if instance.launcher is None or self.world.dynamodb.row(TABLE, shard_id) is None:
            return False
        worker_id = instance.launcher.worker_id
        Task("assign", lambda: assign(self.world.dynamodb, shard_id, worker_id)).run()
        return True

    def do_renew(self, name: str, shard_id: str, until: str = "") -> bool:
        """Renew a lease."""
        daemon = self._instance(name).daemon
        return daemon is not None and shard_id in daemon.leases.owned and daemon.renew(shard_id, until)

    def do_discover(self, name: str, shard_id: str, until: str = "") -> bool:
        """Look for a lease that is given to the instance."""
        daemon = self._instance(name).daemon
        return daemon is not None and daemon.discover(shard_id, until)

    def do_expire(self, name: str, shard_id: str) -> bool:
        """Let an instance not have renewed a lease for the failover time."""
        daemon = self._instance(name).daemon
        lease = daemon.leases.owned.get(shard_id) if daemon is not None else None
        if lease is None or lease.is_expired:
            return False
        lease.is_expired = True
        return True

    def do_clean(self, shard_id: str) -> bool:
        """`LeaseCleanupManager.cleanupLeaseForCompletedShard`: delete the row of a shard whose children are read."""
        row = self.world.dynamodb.row(TABLE, shard_id)
        children = self.stream.shards[shard_id].children if shard_id in self.stream.shards else []
        rows = [self.world.dynamodb.row(TABLE, child) for child in children]
        is_read = all(child is not None and child["checkpoint"] != "TRIM_HORIZON" for child in rows)
        if row is None or row["checkpoint"] != "SHARD_END" or not children or not is_read:
            return False
        self.world.dynamodb.put(TABLE, shard_id, None)
        return True

    # Consumers and chores

    def do_notice(self, name: str) -> bool:
        """Let a daemon look at its leases: it ends the consumers of lost leases and begins those of new leases."""
        daemon = self._instance(name).daemon
        if daemon is None or not daemon.is_alive:
            return False
        daemon.dispatch()
        return True

    def do_read(self, name: str, shard_id: str, until: str = "") -> bool:
        """Let the processor of a shard get all that there is."""
        daemon = self._instance(name).daemon
        return daemon is not None and daemon.read(shard_id, until)

    def do_read_older(self, name: str, shard_id: str, until: str = "") -> bool:
        """The same for the processor before the latest, which has lost its lease and may not know it."""
        daemon = self._instance(name).daemon
        return daemon is not None and daemon.read(shard_id, until, is_older=True)

    def do_answer(self, name: str, until: str = "") -> bool:
        """Let a launcher go on with what a processor had asked for."""
        launcher = self._instance(name).launcher
        tasks = [task for task in launcher.tasks if not task.is_done] if launcher is not None else []
        if not tasks:
            return False
        self._run(tasks[0], until)
        return True

    def do_settle(self, name: str, until: str = "") -> bool:
        """Let a launcher settle the commits in doubt."""
        instance = self._instance(name)
        if instance.launcher is None:
            return False
        if instance.settling is None or instance.settling.is_done:
            settle = instance.launcher.registrar.settle_left
            instance.settling = Task("settle", lambda: void(settle()))
        self._run(instance.settling, until)
        return True

    def do_scrape(self, name: str) -> bool:
        """Let Prometheus scrape an instance."""
        instance = self._instance(name)
        if instance.launcher is None:
            return False
        page = instance.launcher.page()
        self.prometheus.scrape(name, page)
        instance.shown = sum(page.values())
        return True

    # The world

    def do_fate(self, sender: str, kind: str, fate: str) -> bool:
        """Set the fate of the next request of a kind."""
        self.world.dynamodb.fates[sender, kind] = fate
        return True

    def do_land(self, sender: str, kind: str) -> bool:
        """Apply a late request."""
        return self.world.dynamodb.land(sender, kind)

    def do_partition(self, name: str) -> bool:
        """Cut an instance off from DynamoDB."""
        is_new = name not in self.world.dynamodb.partitioned
        self.world.dynamodb.partitioned.add(name)
        return is_new

    def do_heal(self, name: str) -> bool:
        """Connect an instance to DynamoDB again."""
        was_cut_off = name in self.world.dynamodb.partitioned
        self.world.dynamodb.partitioned.discard(name)
        return was_cut_off

    def do_wait(self, seconds: float) -> bool:
        """Let time pass."""
        self.world.now += seconds
        return True

    def do_leap(self, name: str, seconds: float) -> bool:
        """Set an instance's wall clock, so many seconds from the true time."""
        self.world.leaps[name] = seconds
        return True

    def end(self) -> None:
        """End all tasks, so that the next simulation finds nothing of this."""
        for instance in self.instances.values():
            if instance.launcher is not None:
                self._end(instance)
        for instance in self.instances.values():
            self.world.remove_directory(instance.directory)
        for path in self.snapshots.values():
            self.world.remove_directory(path)

    def _instance(self, name: str) -> Instance:
        return self.instances[name]

    def _begin_daemon(self, instance: Instance) -> None:
        launcher = instance.launcher
        assert launcher is not None
        launcher.begin_daemon()
        instance.daemon = Daemon(instance.name, launcher, self.world, self.stream)
        if not self.world.dynamodb.rows(TABLE):
            # `HierarchicalShardSyncer`: only an empty table gets the shards that the stream begins with.
            checkpoint = "TRIM_HORIZON" if self.world.initial_position == "trim-horizon" else "AT_TIMESTAMP"
            for root in ROOTS:
                create_if_missing(self.world.dynamodb, lease_row(root, checkpoint))
        instance.daemon.leases.initialize()

    def _end(self, instance: Instance) -> None:
        launcher, daemon = instance.launcher, instance.daemon
        assert launcher is not None
        launcher.is_alive = False
        if daemon is not None:
            daemon.kill_all()
        for task in [*launcher.tasks, *([instance.settling] if instance.settling else [])]:
            task.kill()
        instance.launcher = instance.daemon = instance.settling = None

    def _show_all(self, instance: Instance) -> None:
        """Let Prometheus scrape until no series is held at 0."""
        for _ in range(2):
            self.do_scrape(instance.name)
            self.world.now += HOLD
        self.do_scrape(instance.name)

    def _retire(self, instance: Instance) -> None:
        """Add up what a state directory has counted before it is gone, and note what may be lost with it."""
        ledger = open_ledger(instance.directory, self.world)
        held = ledger.bytes_counted()
        self.retired += held - instance.base
        for prepared in ledger.bytes_prepared():
            self.losses.prepared += counted(prepared)
        self.losses.unscraped += counted(held - instance.shown)

    def _ledger_bytes(self, instance: Instance) -> int:
        return open_ledger(instance.directory, self.world).bytes_counted()

    def _run(self, task: Task, until: str) -> None:
        task.run(until)
        if task.error is not None:
            raise task.error


def void(_: object) -> None:
    """Drop a result."""
