"""The launcher: one for each instance, from the first look at AWS to the last scrape.

Promises that the daemon runs for as long as the instance is wanted, that a
stop makes the last checkpoints first, and that nothing of ours is left when
it ends. Signals are only noted; the loop acts on them. What it can't mend it
raises: `ConfigError` for the user, another `FlowlogError` to give up.

Composes; what the parts do is their own business.
"""

from __future__ import annotations

import ctypes
import logging
import platform
import queue
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import resources
from typing import BinaryIO

import msgspec

from kcl_flowlog import __version__
from kcl_flowlog.commits.ledger import Ledger, LedgerError, is_damage, set_aside_if_broken
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE, ProcessorSettings
from kcl_flowlog.config import Config
from kcl_flowlog.counting.flow_record import nearest_field
from kcl_flowlog.counting.formats import parse_option
from kcl_flowlog.errors import CannotStart, FlowlogError
from kcl_flowlog.exporter.collector import FlowlogCollector, metrics_registry
from kcl_flowlog.exporter.exposition import renderer
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.exporter.state import InstanceState, ShardState
from kcl_flowlog.inventory import accounts
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import daemon_environment, resolve_region, with_old_names
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.launcher import daemon, java, kcl_properties, leftovers
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.dead_letters import write_dead_letters
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.leader_lock import LeaderLock
from kcl_flowlog.launcher.leases import LeaseTable
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.launcher.supervisor import Supervisor
from kcl_flowlog.launcher.watchdog import Watchdog
from kcl_flowlog.web.pages import Pages
from kcl_flowlog.web.server import WebServer

log = logging.getLogger(__name__)

_TICK = 0.2
# A scrape must not wait for a writer that hangs.
_NOTE_PATIENCE = 1.0
_HOUSEKEEPING_INTERVAL = 1.0
_FORGET_INTERVAL = 600.0
_SETTLE_INTERVAL = 2.0
# Whoever waits for the lease table tries again, and a stop must not wait for long.
_DYNAMODB_PATIENCE = {"retries": {"total_max_attempts": 2}, "connect_timeout": 3, "read_timeout": 5}
# Where the disk is full.
_CHORES_PAUSE = 10.0
# The daemon needs this on top of the grace it gives the processors.
_STOP_MARGIN = 10.0
_PR_SET_CHILD_SUBREAPER = 36

_SHARING = {True: "same", False: "different"}
_RETRIEVAL_MODES = {"polling": "POLLING", "fan-out": "FANOUT"}


def run(config: Config, environ: Mapping[str, str], denials: BinaryIO) -> None:
    """Run an instance until SIGTERM or SIGINT. Denials go to `denials`, one line each."""
    environ = with_old_names(environ)
    _warn_of_unknown_fields(config.flow_log_format)
    region = resolve_region(config.region, environ)
    with ExitStack() as stack:
        signals = stack.enter_context(noted_signals())
        runtime = java.find_java(config.java, environ)
        jars = java.find_jars()
        extra = config.kcl_property
        kcl_properties.check_extra(extra)
        state = stack.enter_context(StateDirectory(config.state_dir))
        if leftovers.kill(state.processor_settings):
            # The records that they had in hand are not to blame for that.
            shutil.rmtree(state.attempts, ignore_errors=True)
        _set_broken_ledger_aside(state)
        aws = Aws(region, environ)
        aws.check_stream(config.stream)
        _adopt_orphans()
        launcher = Instance(config, environ, state, aws, runtime, jars, extra, denials, signals)
        stack.callback(launcher.close)
        launcher.run()


@contextmanager
def noted_signals() -> Iterator[queue.SimpleQueue[int]]:
    """Note SIGTERM and SIGINT in a queue instead of dying of them."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda received, _: signals.put(received))
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Instance:
    """One instance: its parts, and the loop that keeps them going."""

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        state: StateDirectory,
        aws: Aws,
        runtime: java.Java,
        jars: java.Jars,
        extra: Mapping[str, str],
        denials: BinaryIO,
        signals: queue.SimpleQueue[int],
    ) -> None:
        self._config = config
        self._environ = environ
        self._state = state
        self._region = aws.region
        self._runtime = runtime
        self._jars = jars
        self._extra = extra
        self._signals = signals
        self._housekept_at = time.monotonic()
        self._settle_at = time.monotonic()
        self._subnets_forgotten_at = time.monotonic()
        self._ledger = Ledger(state.ledger)
        self._new_series = NewSeries(config.new_series_hold, self._ledger.shown(), self._note_shown)
        dynamodb = aws.client("dynamodb", **_DYNAMODB_PATIENCE)
        lease_table = extra.get("tableName", config.application)
        coordinator_table = extra.get("coordinatorStateTableName", f"{config.application}-CoordinatorState")
        self._registrar = Registrar(LeaseTable(dynamodb, lease_table), lambda: Ledger(state.ledger), state.worker_id())
        self._leader_lock = LeaderLock(dynamodb, coordinator_table, state.worker_id())
        self._inventory = InventoryKeeper(
            accounts.source_readers(config, aws),
            state.inventory.read_bytes() if state.inventory.exists() else None,
            lambda data: state.write(state.inventory, data),
            config.inventory_interval,
            config.series_ttl,
        )
        self._inbox = Inbox(
            state.messages_socket(), denials, self._registrar.register, self._inventory.request_refresh, time.time
        )
        self._supervisor = Supervisor(self._start_daemon, time.monotonic, config.ready_timeout)
        self._watchdog = Watchdog(self._inbox, self._supervisor.replace, config.stuck_after, time.monotonic)
        self._web_server = WebServer(config.web_listen_address, self._pages(), str(config.web_config_file or ""))

    def run(self) -> None:
        """Serve and count until a signal asks to stop, then stop in order."""
        # First of all: until it listens, it can't be stopped.
        self._inbox.start()
        self._web_server.start()
        log.info("Metrics are at %s", self._web_server.url)
        if not self._inventory.wait_for_inventory(self._is_asked_to_stop):
            return
        self._inventory.start()
        log.info("The daemon starts; on an empty lease table the KCL takes up to a minute to lease its first shards")
        while not self._is_asked_to_stop(_TICK):
            self._supervisor.step()
            self._watchdog.step()
            self._keep_house()
        self._stop()

    def close(self) -> None:
        """Leave nothing behind, whatever happened before."""
        if self._supervisor.pid:
            self._supervisor.stop(lambda: True)
            self._leader_lock.release()
        self._inbox.stop()
        self._inventory.stop()
        self._web_server.stop()
        self._ledger.close()

    def _stop(self) -> None:
        log.info("Stopping: waiting for the last checkpoints")
        deadline = time.monotonic() + self._config.shutdown_grace + _STOP_MARGIN
        self._supervisor.stop(lambda: self._is_asked_to_stop(_TICK) or time.monotonic() > deadline)
        self._leader_lock.release()
        patience = self._config.final_scrape_timeout
        scrape_until = time.monotonic() + patience
        with self._put_off_if_refused():
            # Where the daemon had to be killed, or a checkpoint was refused, it may have happened all the same.
            self._ledger.begin_generation()
            while not self._registrar.settle_left() and time.monotonic() < scrape_until - patience / 2:
                if self._is_asked_to_stop(_SETTLE_INTERVAL):
                    break
            self._write_dead_letters()
        self._wait_for_final_scrape(scrape_until)
        log.info("Stopped")

    def _wait_for_final_scrape(self, deadline: float) -> None:
        """Serve one more scrape, where anyone scrapes at all, so that nothing counted dies with us.

        Where that has shown 0 for a new series, serve another one with its value.
        """
        if not self._web_server.scrapes_answered:
            return
        if self._is_scraped_before(deadline) and self._new_series.is_holding:
            self._new_series.lift()
            self._is_scraped_before(deadline)

    def _is_scraped_before(self, deadline: float) -> bool:
        scrape = self._web_server.next_scrape()
        while not scrape.is_set() and time.monotonic() < deadline:
            if self._is_asked_to_stop(_TICK):
                return False
        return scrape.is_set()

    def _is_asked_to_stop(self, seconds: float) -> bool:
        """Wait for so long; return at once with True when a signal asks to stop, and with it to hurry up."""
        try:
            self._signals.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    # The daemon

    def _start_daemon(self) -> Daemon:
        try:
            return self._started_daemon()
        except (OSError, LedgerError) as error:
            raise CannotStart(str(error)) from error

    def _started_daemon(self) -> Daemon:
        config, state = self._config, self._state
        self._inbox.forget()
        self._watchdog.forget()
        self._leader_lock.release()
        settings = ProcessorSettings(
            generation=self._ledger.begin_generation(),
            ledger=str(state.ledger),
            inventory=str(state.inventory),
            attempts=str(state.attempts),
            messages=str(state.messages_socket()),
            flow_log_formats=config.flow_log_format,
            deduplicate=config.deduplicate,
            watched_ports=tuple(sorted(config.watched_ports)),
            payload_limit=config.payload_limit,
            checkpoint_interval=config.checkpoint_interval,
            log_deny=config.log_deny,
        )
        state.write(state.processor_settings, msgspec.json.encode(settings))
        state.write(state.properties, self._properties().encode("ascii"))
        state.write(state.logback, _shipped("logback.xml").encode())
        argv = daemon.command(
            self._runtime,
            self._jars,
            config.java_options,
            config.log_level == "debug",
            state.properties,
            state.logback,
        )
        environ = daemon_environment(self._environ, self._region)
        environ[PROCESSOR_SETTINGS_VARIABLE] = str(state.processor_settings)
        return Daemon(argv, daemon.environment(environ, sys.executable), self._excuse_records)

    def _excuse_records(self) -> None:
        """Forget which records are in hand of processors that are about to be killed: they are not to blame."""
        for shard in self._inbox.shards():
            (self._state.attempts / shard.shard_id).unlink(missing_ok=True)

    def _properties(self) -> str:
        config = self._config
        holes = {
            "application": config.application,
            "stream": config.stream,
            "region": self._region,
            "executable": daemon.executable(sys.executable),
            "worker_id": self._state.worker_id(),
            "retrieval": _RETRIEVAL_MODES[config.retrieval],
            "shutdown_grace": str(int(config.shutdown_grace * 1000)),
            "kcl_metrics": config.kcl_metrics.upper(),
            "initial_position": self._initial_position(),
        }
        return kcl_properties.render(_shipped("kcl.properties"), holes, self._extra)

    def _initial_position(self) -> str:
        position = self._config.initial_position
        if position == "trim-horizon":
            return "initialPositionInStream = TRIM_HORIZON"
        seconds = self._state.first_start(time.time()) if position == "now" else int(position.timestamp())
        return f"initialPositionInStreamExtended = {seconds}"

    # Housekeeping

    def _keep_house(self) -> None:
        if self._inbox.broken is not None:
            raise FlowlogError(f"Denials can't be written to stdout any more ({self._inbox.broken}).")
        with self._put_off_if_refused():
            if self._registrar.damage is not None:
                raise self._registrar.damage
            self._do_chores(time.monotonic())

    @contextmanager
    def _put_off_if_refused(self) -> Iterator[None]:
        """Do later what a full disk refuses; none of it is lost, as it is all in the ledger.

        Raises `FlowlogError` where the ledger is damaged, which waiting does not mend.
        """
        try:
            yield
        except (OSError, LedgerError) as error:
            if is_damage(error):
                raise FlowlogError(f"The ledger is damaged ({error}); the next start keeps it aside.") from error
            log.warning("The state directory can't be written (%s); trying again in %g s", error, _CHORES_PAUSE)
            self._housekept_at = self._settle_at = time.monotonic() + _CHORES_PAUSE

    def _do_chores(self, now: float) -> None:
        if now >= self._settle_at:
            self._settle_at = now + _SETTLE_INTERVAL
            self._registrar.settle_left()
        if now - self._housekept_at < _HOUSEKEEPING_INTERVAL:
            return
        self._housekept_at = now
        self._write_dead_letters()
        if now - self._subnets_forgotten_at >= _FORGET_INTERVAL:
            self._subnets_forgotten_at = now
            known = {subnet.subnet_id for subnet in self._inventory.current.subnets}
            for subnet_id in self._ledger.forget_idle_subnets(known, time.time() - self._config.series_ttl):
                log.info("The series of %s end: it is gone, and had no traffic for long", subnet_id)

    def _write_dead_letters(self) -> None:
        write_dead_letters(self._ledger, self._state.dead_letters, self._config.dead_letter_limit)

    # What the sidecar shows

    def _pages(self) -> Pages:
        config = self._config
        collector = FlowlogCollector(self._read_state, config.traffic_labels, self._new_series, config.max_subnets)
        registry = metrics_registry(collector, lambda: self._supervisor.pid)
        return Pages(
            telemetry_path=config.web_telemetry_path,
            render=renderer(registry),
            healthy=self._why_unhealthy,
            ready=self._why_not_ready,
        )

    def _read_state(self) -> InstanceState:
        # Each scrape has a thread and thereby a connection of its own.
        with Ledger(self._state.ledger) as ledger:
            totals = ledger.totals()
        return InstanceState(
            totals=totals,
            inventory=self._inventory.current,
            overlaps=Counter(_SHARING[overlap.same_log_group] for overlap in self._inventory.overlaps),
            shards=[
                ShardState(
                    shard.shard_id,
                    shard.heartbeat.lag if shard.heartbeat is not None else None,
                    shard.heartbeat.last_record_at if shard.heartbeat is not None else 0.0,
                    shard.heartbeat.last_checkpoint_at if shard.heartbeat is not None else 0.0,
                    shard.last_callback_at,
                )
                for shard in self._inbox.shards()
            ],
            inventory_refreshes=dict(self._inventory.refreshes),
            daemon_up=self._supervisor.is_up,
            daemon_restarts=dict(self._supervisor.restarts),
            build={
                "version": __version__,
                "kclpy": self._jars.kclpy,
                "kcl": self._jars.kcl,
                "python": platform.python_version(),
                "java": self._runtime.version,
            },
        )

    def _note_shown(self, birth: int) -> bool:
        try:
            with Ledger(self._state.ledger, patience=_NOTE_PATIENCE) as ledger:
                ledger.note_shown(birth)
        except LedgerError as error:
            log.warning("New series go on showing 0: that they are shown could not be noted (%s)", error)
            return False
        return True

    def _why_unhealthy(self) -> list[str]:
        latest = time.monotonic() - self._config.stuck_after
        return [
            f"The processor of {shard.shard_id} has not called back for over {self._config.stuck_after:g} s."
            for shard in self._inbox.shards()
            if shard.heard_at < latest
        ]

    def _why_not_ready(self) -> list[str]:
        reasons = []
        if not self._inventory.has_inventory:
            reasons.append("The inventory has not been read from EC2 yet.")
        if not self._supervisor.is_up:
            reasons.append("The daemon is not initialised yet.")
        return reasons


def _set_broken_ledger_aside(state: StateDirectory) -> None:
    try:
        aside = set_aside_if_broken(state.ledger, time.strftime("broken-%Y%m%dT%H%M%SZ", time.gmtime()))
    except LedgerError as error:
        raise FlowlogError(f"The ledger {state.ledger} can't be read: {error}.") from error
    if aside is not None:
        log.error("The ledger was damaged; it is kept as %s, and the totals start again at 0", aside)


def _warn_of_unknown_fields(formats: Iterable[str]) -> None:
    """Look at each `--flow-log-format`. Raises `ConfigError` for one that is none."""
    for text in formats:
        _, one = parse_option(text)
        for name in one.unknown_fields:
            log.warning(
                "--flow-log-format: %r is a field that this version does not know, and is not read; a misspelt %r?",
                name,
                nearest_field(name),
            )


def _shipped(name: str) -> str:
    return (resources.files("kcl_flowlog") / "properties" / name).read_text(encoding="utf-8")


def _adopt_orphans() -> None:
    """Become the parent of processors whose daemon was killed, so that they can be reaped."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
