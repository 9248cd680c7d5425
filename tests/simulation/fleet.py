"""A fleet on one stream: its instances, how they begin and end, and what the ends of their directories mean."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kcl_flowlog.errors import ConfigError
from kcl_flowlog.launcher.state_directory import StateDirectory
from tests.simulation.daemon import Daemon
from tests.simulation.databases import Databases, SimulatedLedger
from tests.simulation.instance import HOLD, Launcher
from tests.simulation.kcl import TABLE, create_if_missing, lease_row
from tests.simulation.prometheus import Prometheus
from tests.simulation.stream import Stream, counted
from tests.simulation.tasks import Task
from tests.simulation.world import World

ROOTS = ("s0", "s1")
NAMES = ("A", "B", "C")


@dataclass
class Instance:
    """An instance: its state directory, and what runs over it."""

    name: str
    directory: Path
    launcher: Launcher | None = None
    starting: Task | None = None
    daemon: Daemon | None = None
    settling: Task | None = None
    # What its ledger held when it began: of a copied directory, what the other ledger has counted.
    base: int = 0
    # What the last page showed.
    shown: int = 0
    # Whether its directory is a copy that no launcher has used yet.
    is_copy: bool = False
    # What pages had shown when that copy was made.
    copied_shown: int = 0

    @property
    def ledger(self) -> Path:
        """The path of its ledger."""
        return StateDirectory(self.directory).ledger


@dataclass
class Losses:
    """What docs/guarantees.md lets go: payloads that the loss or the copy of a state directory may cost."""

    prepared: Counter[int] = field(default_factory=Counter)
    unscraped: Counter[int] = field(default_factory=Counter)
    shown_twice: Counter[int] = field(default_factory=Counter)


class Fleet:
    """Instances, and all that they share."""

    def __init__(
        self, folder: Path, databases: Databases, initial_position: str = "trim-horizon", interval: float = 0.0
    ) -> None:
        self.world = World(folder, databases, initial_position, interval)
        self.world.when_time_has_passed = self._let_beat
        self.stream = Stream(ROOTS)
        self.prometheus = Prometheus()
        # C is a clone, if there is any.
        self.instances = {name: Instance(name, folder / f"state-{name}") for name in NAMES}
        # By the name of an instance, a copy of its directory, and what its last page had shown then.
        self.snapshots: dict[str, tuple[Path, int]] = {}
        # What the ledgers have counted that are gone.
        self.retired = 0
        self.losses = Losses()

    def end(self) -> None:
        """End all tasks, so that the next simulation finds nothing of this."""
        for instance in self.instances.values():
            self.end_instance(instance)
            self.world.remove_directory(instance.directory)
        for path, _ in self.snapshots.values():
            self.world.remove_directory(path)

    def running(self) -> list[tuple[Instance, Launcher]]:
        """Return the instances that run, and may have a daemon."""
        return [
            (instance, instance.launcher)
            for instance in self.instances.values()
            if instance.launcher is not None and instance.launcher.is_admitted
        ]

    def go_on_starting(self, instance: Instance, until: str = "") -> None:
        """Go on with a start; one that is refused ends."""
        task, launcher = instance.starting, instance.launcher
        assert task is not None
        assert launcher is not None
        task.run(until)
        if not task.is_done:
            return
        instance.starting = None
        self._note_ledger_aside(instance)
        if task.error is not None:
            self.end_instance(instance)
            if not isinstance(task.error, ConfigError):
                raise task.error
            return
        self.begin_daemon(instance)
        if instance.is_copy:
            instance.is_copy = False
            # The original has counted also what is settled at the start.
            instance.base = launcher.ledger.bytes_counted()
            # Series that were not shown yet begin at 0, whether or not the original has shown them since.
            self.losses.shown_twice += counted(instance.base - instance.copied_shown)
            # Prometheus has to see where its series begin.
            self.show_all(instance)

    def begin_daemon(self, instance: Instance) -> None:
        """Start a daemon."""
        launcher = instance.launcher
        assert launcher is not None
        launcher.begin_daemon()
        instance.daemon = Daemon(instance.name, launcher, self.world, self.stream)
        if not self.world.dynamodb.rows(TABLE):
            # `HierarchicalShardSyncer`: only an empty table gets rows, of the shards that are open at the position.
            checkpoint = "TRIM_HORIZON" if self.world.initial_position == "trim-horizon" else "AT_TIMESTAMP"
            for shard_id in self.stream.open_at(launcher.begins_at):
                create_if_missing(self.world.dynamodb, lease_row(shard_id, checkpoint))
        instance.daemon.leases.initialize()

    def end_instance(self, instance: Instance) -> None:
        """End launcher, daemon and processors at once; do nothing if none runs."""
        launcher, daemon = instance.launcher, instance.daemon
        if launcher is None:
            return
        launcher.is_alive = False
        if daemon is not None:
            daemon.kill_all()
        for task in (*launcher.tasks, instance.settling, instance.starting):
            if task is not None:
                task.kill()
        self._note_ledger_aside(instance)
        instance.launcher = instance.daemon = instance.settling = instance.starting = None

    def scrape(self, instance: Instance) -> bool:
        """Let Prometheus scrape an instance."""
        if instance.launcher is None or not instance.launcher.is_admitted:
            return False
        page = instance.launcher.page()
        self.prometheus.scrape(instance.name, page)
        instance.shown = sum(page.values())
        return True

    def show_all(self, instance: Instance) -> None:
        """Let Prometheus scrape until no series is held at 0."""
        for _ in range(2):
            self.scrape(instance)
            self.world.pass_time(HOLD)
        self.scrape(instance)

    def retire(self, instance: Instance) -> None:
        """Add up what a state directory has counted before it is gone, and note what may be lost with it."""
        self._retire(instance, self.world.open_ledger(instance.ledger))

    def begin_copy(self, instance: Instance, source: Path, shown: int) -> None:
        """Replace a state directory by a copy, made when pages had shown so many bytes."""
        self.world.copy_directory(source, instance.directory)
        instance.base = instance.shown = self.world.open_ledger(instance.ledger).bytes_counted()
        instance.is_copy, instance.copied_shown = True, shown

    def _retire(self, instance: Instance, ledger: SimulatedLedger) -> None:
        held = ledger.bytes_counted()
        self.retired += held - instance.base
        # Of a copy that was never used, the original has all that is prepared.
        if not instance.is_copy:
            for prepared in ledger.bytes_prepared():
                self.losses.prepared += counted(prepared)
        self.losses.unscraped += counted(held - instance.shown)

    def _note_ledger_aside(self, instance: Instance) -> None:
        aside = self.world.databases.aside.pop(instance.ledger, None)
        if aside is not None:
            self._retire(instance, self.world.open_ledger(aside))
            instance.base = instance.shown = instance.copied_shown = 0

    def _let_beat(self) -> None:
        for instance, launcher in self.running():
            launcher.beat_if_due()
            self.end_if_replaced(instance)

    def end_if_replaced(self, instance: Instance) -> None:
        """End an instance that has found out that a later start has taken over."""
        if instance.launcher is not None and instance.launcher.is_replaced:
            self.end_instance(instance)
