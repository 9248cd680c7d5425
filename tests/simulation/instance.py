"""The launcher of an instance in the simulation: the only module that builds parts of the product.

Real are the state directory's files, the ledger, admission with its records, beats, the ledger's age, registrar, notes
in claims, inbox, and the traffic of a page; a processor is a real `ShardProcessor` with all that it builds. Replaced
are: the socket between them (`LocalMessenger`), boto3's client, SQLite's file, clocks, random tokens, threads, and all
of the daemon.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from kcl_flowlog.commits import ledger as ledger_module
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.messages import Disconnected, Log, Message, Messenger
from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.counting.subnet_bounds import DEFAULT_BOUNDS
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.traffic import TrafficMetrics
from kcl_flowlog.launcher import ledger_age
from kcl_flowlog.launcher.admission import Admission
from kcl_flowlog.launcher.application import TRIM_HORIZON, Application
from kcl_flowlog.launcher.beats import Beats
from kcl_flowlog.launcher.claim_notes import ClaimNotes
from kcl_flowlog.launcher.coordinator_table import CoordinatorTable
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.leader_lock import LeaderLock
from kcl_flowlog.launcher.leases import LeaseTable
from kcl_flowlog.launcher.registrar import RENEWAL_PAUSE, Registrar
from kcl_flowlog.launcher.start_record import BEAT_INTERVAL, StartRecord
from kcl_flowlog.launcher.status import note_shown
from kcl_flowlog.launcher.table_names import TableNames
from kcl_flowlog.processor.shard import ShardProcessor
from tests.simulation.client import DynamoDbClient
from tests.simulation.databases import Databases, SimulatedLedger
from tests.simulation.kcl import TABLE
from tests.simulation.tasks import Task, current, pause, wait_for
from tests.simulation.world import World

HOLD = 10.0
"""How long a new series shows 0, in seconds."""
COORDINATOR = "coordinator"
_TABLES = TableNames(TABLE, COORDINATOR, "worker-metrics")


@contextmanager
def replaced(databases: Databases) -> Iterator[None]:
    """Replace what the product takes from the world without a constructor: SQLite's file, and random tokens."""
    numbers = iter(range(10**9))
    token = SimpleNamespace(token_urlsafe=lambda size: f"{next(numbers):06x}")
    uuid = SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=f"{next(numbers):012x}" * 3))
    with (
        mock.patch.object(ledger_module, "connect", databases.connect),
        mock.patch("kcl_flowlog.commits.holders.secrets", token),
        mock.patch("kcl_flowlog.launcher.state_directory.uuid", uuid),
        mock.patch("kcl_flowlog.launcher.state_directory.os.fsync"),
        mock.patch("kcl_flowlog.launcher.ledger_age.set_aside", databases.set_aside),
    ):
        yield


class LocalMessenger(Messenger):
    """A processor's connection to the launcher, without a socket; each answer is a task of the launcher."""

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
    """One run of an instance's launcher, over its state directory; `begin` is a task that may take long."""

    ledger: SimulatedLedger
    registrar: Registrar
    _inbox: Inbox
    _new_series: NewSeries

    def __init__(self, name: str, directory: Path, world: World) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.is_alive = True
        self.is_admitted = False
        self.is_silent = False
        self.is_replaced = False
        """Whether it knows that a later start has taken over, and is to end."""
        self.tasks: list[Task] = []
        self._name = name
        self._world = world
        self._state = world.directory(directory)
        self.worker_id = self._state.worker_id()
        client = DynamoDbClient(world.dynamodb, name, TABLE, world.clock)
        self._leases = LeaseTable(client, TABLE)
        table = CoordinatorTable(client, COORDINATOR, {}, self._clock)
        self._start = StartRecord(table, self.worker_id, self._state.lock_identity(), name, world.clock)
        self._admission = Admission(
            Application("application", table, _TABLES, "stream", None, self._state.earlier_first_start()),
            self._start,
            self._leases,
            LeaderLock(client, COORDINATOR, self.worker_id),
            _TABLES,
        )
        self._beats = Beats(self._start)
        self._beats_at = world.now
        self._generation = 0
        self.begins_at = 0.0
        """The time from which this instance's daemon reads a shard without a checkpoint."""

    def begin(self) -> None:
        """Do what `kcl_flowlog.launcher.instance` does before there is a daemon. Raises `ConfigError`."""
        world = self._world
        agreed = self._admission.admit("now" if world.initial_position == "now" else "trim-horizon", self._wait)
        assert agreed is not None  # nobody requests a stop
        ledger_age.set_old_ledger_aside(self._state.ledger, self._leases, self._wait)
        # `kcl_flowlog.launcher.daemon_files.DaemonFiles`
        self.begins_at = self._begins_at(agreed) if agreed != TRIM_HORIZON else 0.0
        damage = DamageNote()
        self.ledger = self._open_ledger()
        self.registrar = Registrar(
            self._leases, self._open_ledger, self.worker_id, damage, self._start.is_current, self._sleep
        )
        self._inbox = Inbox(
            self._state.messages_socket(),
            io.BytesIO(),
            self.registrar.register,
            lambda _: None,
            self._clock,
            world.clock,
            write_note=ClaimNotes(self._leases, self.worker_id).write,
        )
        save_shown = partial(note_shown, self._open_ledger, damage)
        self._new_series = NewSeries(HOLD, self.ledger.shown(), save_shown, world.clock)
        self._beats_at = world.now
        self._settle_what_was_left()
        self.is_admitted = True

    def beat_if_due(self) -> None:
        """Give a sign of life if it is time to, as the thread of `Beats` does."""
        if self.is_admitted and not self.is_silent and self._world.now - self._beats_at >= BEAT_INTERVAL:
            self.beat()

    def beat(self) -> None:
        """Give a sign of life, and find out whether a later start has taken over."""
        self._beats_at = self._world.now
        task = Task("beat", lambda: setattr(self, "is_replaced", not self._beats._beat()))
        task.run()
        if task.error is not None:
            raise task.error

    def begin_daemon(self) -> None:
        """Do what the launcher does before each start of a daemon."""
        self._inbox.forget()
        self._generation = self.ledger.begin_generation()

    def new_processor(self, shard_id: str) -> ShardProcessor:
        """Return a processor as the daemon starts it."""
        state = self._state
        self._world.readers.setdefault(shard_id, set()).add(self._world.databases.number(state.ledger))
        settings = ProcessorSettings(
            generation=self._generation,
            ledger=str(state.ledger),
            inventory=str(self._world.inventory),
            attempts=str(state.attempts),
            messages="",
            flow_log_formats=(),
            log_groups=(),
            deduplicate=True,
            watched_ports=(),
            payload_limit=1_000_000,
            checkpoint_interval=self._world.checkpoint_interval,
            log_deny="",
            log_deny_rate=0,
            log_deny_burst=1000,
            max_subnets=DEFAULT_BOUNDS.listed,
            max_unlisted_subnets=DEFAULT_BOUNDS.unlisted,
        )
        return ShardProcessor(
            settings, self._open_ledger(), LocalMessenger(self), self._clock, self._world.clock, self._sleep
        )

    def finish(self) -> None:
        """Settle what the daemon left, and end in order: `kcl_flowlog.launcher.main_loop.MainLoop`."""
        self.is_silent = True
        self._start.end()
        self.ledger.begin_generation()
        self.registrar.settle_left()

    def page(self) -> dict[tuple[str, ...], int]:
        """Return the bytes of each series as a page of metrics shows them."""
        families = TrafficMetrics(("protocol", "peer"), self._new_series).collect(self.ledger.totals(), Inventory())
        return {
            tuple(sample.labels.values()): int(sample.value)
            for family in families
            if family.name == "flowlog_bytes"
            for sample in family.samples
        }

    def handle(self, messenger: LocalMessenger, message: Message, answer: Callable[[bytes], Any]) -> None:
        """Let the inbox handle a message."""
        if isinstance(message, Log) and message.text.startswith("Record skipped"):
            self._world.skipped.add(int(message.fields["sequence_number"]))
        self._inbox._handle(id(messenger), message, answer)

    def spawn(self, message: Message, work: Callable[[], None]) -> Task:
        """Begin a task of the launcher, which goes on even if the processor that waits for it dies."""
        task = Task(f"answer to {type(message).__name__}", work)
        self.tasks = [other for other in self.tasks if not other.is_done] + [task]
        return task

    def _begins_at(self, agreed: str) -> float:
        """Return the initial position in Unix seconds, given that of the application record."""
        return float(agreed)

    def _settle_what_was_left(self) -> None:
        """`kcl_flowlog.launcher.housekeeping.Housekeeping.begin`."""
        self.ledger.begin_generation()
        self.registrar.settle_left()

    def _open_ledger(self) -> SimulatedLedger:
        return SimulatedLedger(self._state.ledger, self._clock, self._world.note_undecided)

    def _clock(self) -> float:
        return self._world.clock() + self._world.leaps.get(self._name, 0.0)

    def _wait(self, seconds: float) -> bool:
        self._rest("waiting to start", is_in_vain=self._is_cut_off)
        self._world.pass_time(seconds)
        return False

    def _sleep(self, seconds: float) -> None:
        # A renewal that is waited for, or a partition that must end: others have to come first.
        self._rest("sleeping", is_in_vain=self._is_cut_off or seconds == RENEWAL_PAUSE)

    @property
    def _is_cut_off(self) -> bool:
        return self._name in self._world.dynamodb.partitioned

    def _rest(self, name: str, *, is_in_vain: bool) -> None:
        """Pause; whoever waits in vain lets the schedule go on."""
        task = current()
        if task is not None and is_in_vain:
            turns = iter((True, False))
            task.is_blocked = lambda: next(turns, False)
        pause(name)
