"""The product in the simulation: the only module that builds its parts.

An `Instance` is a launcher with its state directory, its daemon, and the daemon's processors. The launcher's parts are
the real `StateDirectory`, `Ledger`, `Registrar`, `LeaseTable`, `Inbox`, `NewSeries` and `TrafficMetrics`; a processor
is a real `ShardProcessor` with all that it builds. Replaced are: the socket between them (`LocalMessenger`), boto3's
client, SQLite's file (the ledger is in memory; its transactions are the same), clocks, tokens, and all of the daemon.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec

from kcl_flowlog.commits import ledger as ledger_module
from kcl_flowlog.commits import schema
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.holders import LeftCommit, Settlement
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Disconnected, Message, Messenger
from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.subnets import Interface, Inventory, Subnet
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.traffic import TrafficMetrics
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.leases import LeaseTable
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.launcher.status import note_shown
from kcl_flowlog.processor.shard import ShardProcessor
from tests.simulation.client import DynamoDbClient
from tests.simulation.dynamodb import DynamoDb
from tests.simulation.kcl import TABLE
from tests.simulation.tasks import Task, current, pause, wait_for

HOLD = 10.0
"""How long a new series shows 0, in seconds."""

INVENTORY = Inventory(
    1.0,
    (Subnet("subnet-a", "vpc-1", "az1", "10.0.1.0/24"),),
    (Interface("eni-a", "subnet-a", "vpc-1", ("10.0.1.10",)),),
)
# The steps of a ledger that change it, and what the pause before each is called.
_PAUSES = {
    "begin_generation": "before a generation",
    "claim": "before holding",
    "prepare": "before prepare",
    "fold": "before fold",
    "note_refusal": "before noting a refusal",
    "abandon": "before abandon",
    "settle": "before settle",
}


class _Connection(sqlite3.Connection):
    """A connection that all ledgers of a directory share; closing a ledger leaves it open."""

    def close(self) -> None:
        pass


class Databases:
    """The ledgers' files, in memory."""

    def __init__(self) -> None:
        self._template = sqlite3.connect(":memory:", isolation_level=None)
        schema.migrate(self._template)
        self._files: dict[Path, _Connection] = {}

    def connect(self, path: Path, patience: float) -> sqlite3.Connection:
        """Open the file at `path`, or create it: stands in for `kcl_flowlog.commits.database.connect`."""
        if path not in self._files:
            self._files[path] = self._copy(self._template)
        return self._files[path]

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file, as it is between two transactions."""
        self.remove(target)
        if source in self._files:
            self._files[target] = self._copy(self._files[source])

    def remove(self, path: Path) -> None:
        """Remove a file."""
        connection = self._files.pop(path, None)
        if connection is not None:
            sqlite3.Connection.close(connection)

    def clear(self) -> None:
        """Remove all files."""
        for path in list(self._files):
            self.remove(path)

    def _copy(self, source: sqlite3.Connection) -> _Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, factory=_Connection)
        source.backup(connection)
        return connection


class SimulatedLedger(Ledger):
    """The real ledger, with a pause before each step; notes the commits that are settled as undecided."""

    def __init__(self, path: Path, clock: Callable[[], float], undecided: list[int]) -> None:
        super().__init__(path, clock)
        self._undecided = undecided

    def settle(self, left: LeftCommit, verdict: Verdict) -> Settlement | None:
        settlement = super().settle(left, verdict)
        if settlement is not None and verdict is Verdict.UNDECIDED:
            self._undecided.append(settlement.bytes)
        return settlement

    def bytes_counted(self) -> int:
        """Return the sum of bytes of all published totals."""
        return sum(total.bytes for total in self.totals().traffic)

    def bytes_prepared(self) -> list[int]:
        """Return the bytes of each commit that is prepared and not settled."""
        bodies = self._connection.execute("SELECT delta FROM prepared")
        deltas = [msgspec.json.decode(body, type=Snapshot) for (body,) in bodies]
        return [sum(numbers[2] for _, numbers in delta.traffic) for delta in deltas]


def _with_pause(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def paused(ledger: Ledger, *arguments: Any, **more: Any) -> Any:
        pause(name)
        return step(ledger, *arguments, **more)

    return paused


for _step, _pause in _PAUSES.items():
    setattr(SimulatedLedger, _step, _with_pause(_pause, getattr(SimulatedLedger, _step)))


@contextmanager
def replaced(databases: Databases) -> Iterator[None]:
    """Replace what the product takes from the world without a constructor: SQLite's file, and random tokens."""
    numbers = iter(range(10**9))
    token = SimpleNamespace(token_hex=lambda size: f"{next(numbers):0{2 * size}x}")
    uuid = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{next(numbers):012x}" * 3))
    with (
        mock.patch.object(ledger_module, "connect", databases.connect),
        mock.patch("kcl_flowlog.commits.holders.secrets", token),
        mock.patch("kcl_flowlog.launcher.state_directory.uuid", uuid),
        mock.patch("kcl_flowlog.launcher.state_directory.os.fsync"),
    ):
        yield


class LocalMessenger(Messenger):
    """A processor's connection to the launcher, without a socket; the launcher answers in tasks of its own."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    def send(self, message: Message) -> None:
        if not self._launcher.is_alive:
            raise BrokenPipeError
        self._launcher.handle(self, message, lambda answer: None)

    def request(self, message: Any) -> list[str] | None:
        """Hand the message to a thread of the inbox, and wait for its answer, as the real messenger does."""
        answers: list[bytes] = []
        if not self._launcher.is_alive:
            raise Disconnected
        task = self._launcher.spawn(message, lambda: self._launcher.handle(self, message, answers.append))
        wait_for(task)
        if not answers:
            raise Disconnected
        yes, *words = answers[0].decode().split()
        return words if yes == "ok" else None


class Launcher:
    """One run of an instance's launcher, over its state directory."""

    def __init__(self, name: str, directory: Path, world: World) -> None:
        self.is_alive = True
        self.tasks: list[Task] = []
        self._name = name
        self._world = world
        self._state = StateDirectory(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.worker_id = self._state.worker_id()
        self.ledger = self._open_ledger()
        client = DynamoDbClient(world.dynamodb, name, TABLE)
        self.registrar = Registrar(LeaseTable(client, TABLE), self._open_ledger, self.worker_id, self._sleep)
        self._inbox = Inbox(
            self._state.messages_socket(), io.BytesIO(), self.registrar.register, lambda: None, self._clock, world.clock
        )
        self._new_series = NewSeries(
            HOLD, self.ledger.shown(), lambda birth: note_shown(self._open_ledger, birth), world.clock
        )
        self._generation = 0
        self.begins_at = 0.0
        """The time from which this instance's daemon reads a shard without a checkpoint."""

    def begin_daemon(self) -> None:
        """Do what the launcher does before each start of a daemon."""
        self._inbox.forget()
        self._generation = self.ledger.begin_generation()
        # `kcl_flowlog.launcher.daemon_files.DaemonFiles`
        if self._world.initial_position == "now":
            self.begins_at = float(self._state.first_start(self._clock()))

    def new_processor(self, shard_id: str) -> ShardProcessor:
        """Return a processor as the daemon starts it."""
        state = self._state
        self._world.readers.setdefault(shard_id, set()).add(self.worker_id)
        settings = ProcessorSettings(
            generation=self._generation,
            ledger=str(state.ledger),
            inventory=str(self._world.inventory),
            attempts=str(state.attempts),
            messages="",
            flow_log_formats=(),
            deduplicate=True,
            watched_ports=(),
            payload_limit=1_000_000,
            checkpoint_interval=self._world.checkpoint_interval,
            log_deny=False,
        )
        return ShardProcessor(
            settings, self._open_ledger(), LocalMessenger(self), self._clock, self._world.clock, self._sleep
        )

    def finish(self) -> None:
        """Settle what the daemon left when it stopped: `kcl_flowlog.launcher.housekeeping.Housekeeping.finish`."""
        self.ledger.begin_generation()
        self.registrar.settle_left()

    def page(self) -> dict[tuple[str, ...], int]:
        """Return the bytes of each series as a page of metrics shows them."""
        families = TrafficMetrics(("protocol", "peer"), 1000, self._new_series).collect(self.ledger.totals())
        return {
            tuple(sample.labels.values()): int(sample.value)
            for family in families
            if family.name == "flowlog_bytes"
            for sample in family.samples
        }

    def handle(self, messenger: LocalMessenger, message: Message, answer: Callable[[bytes], Any]) -> None:
        """Let the inbox handle a message."""
        self._inbox._handle(id(messenger), message, answer)

    def spawn(self, message: Message, work: Callable[[], None]) -> Task:
        """Begin a task of the launcher, which goes on even if the processor that waits for it dies."""
        task = Task(f"answer to {type(message).__name__}", work)
        self.tasks = [other for other in self.tasks if not other.is_done] + [task]
        return task

    def _open_ledger(self) -> SimulatedLedger:
        return SimulatedLedger(self._state.ledger, self._clock, self._world.undecided)

    def _clock(self) -> float:
        return self._world.clock() + self._world.leaps.get(self._name, 0.0)

    def _sleep(self, seconds: float) -> None:
        task = current()
        # Whoever can't reach DynamoDB would try for ever within one step.
        if task is not None and self._name in self._world.dynamodb.partitioned:
            turns = iter((True, False))
            task.is_blocked = lambda: next(turns, False)
        pause("sleeping")


def open_ledger(directory: Path, world: World) -> SimulatedLedger:
    """Return the ledger of a state directory that no launcher uses now."""
    return SimulatedLedger(StateDirectory(directory).ledger, world.clock, world.undecided)


class World:
    """What launchers share: DynamoDB, the clock, and settings."""

    def __init__(self, folder: Path, databases: Databases, initial_position: str, checkpoint_interval: float) -> None:
        self.folder = folder
        self.databases = databases
        self.dynamodb = DynamoDb()
        self.initial_position = initial_position
        self.checkpoint_interval = checkpoint_interval
        self.now = 1_700_000_000.0
        self.leaps: dict[str, float] = {}
        self.undecided: list[int] = []
        # The state directories, by their worker ids, that have read each shard.
        self.readers: dict[str, set[str]] = {}
        self.inventory = folder / "inventory.json"
        if not self.inventory.exists():
            self.inventory.write_bytes(subnets.dump(INVENTORY))

    def clock(self) -> float:
        """Return the true time; each instance's wall clock is this and its leaps."""
        return self.now

    def copy_directory(self, source: Path, target: Path) -> None:
        """Make `target` a copy of a state directory, as of now."""
        self.remove_directory(target)
        shutil.copytree(source, target)
        self.databases.copy(StateDirectory(source).ledger, StateDirectory(target).ledger)

    def remove_directory(self, path: Path) -> None:
        """Remove a state directory."""
        shutil.rmtree(path, ignore_errors=True)
        self.databases.remove(StateDirectory(path).ledger)
