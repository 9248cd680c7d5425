"""One instance, as `kcl-flowlog run` starts it: the checks, the parts, and how they are connected.

What the user can fix is a `ConfigError`, raised before the daemon starts; any other `FlowlogError` means that the
instance gave up. Composes; each part's work is in its own module.
"""

from __future__ import annotations

import logging
import platform
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from kcl_flowlog import __version__
from kcl_flowlog.commits.damage import DamageNote
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.processor_settings import PROCESSOR_KEY_VARIABLE, PROCESSOR_SETTINGS_VARIABLE
from kcl_flowlog.config import Config
from kcl_flowlog.counting import subnets
from kcl_flowlog.counting.formats import parse_option
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.counting.subnet_bounds import SubnetBounds
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.exporter.new_series import NewSeries
from kcl_flowlog.inventory import accounts
from kcl_flowlog.inventory.aws import Aws
from kcl_flowlog.inventory.aws_settings import daemon_environment, with_old_names
from kcl_flowlog.inventory.interface_details import KeptDetails
from kcl_flowlog.inventory.keeper import InventoryKeeper
from kcl_flowlog.inventory.stream import Stream, find_stream, stream_region
from kcl_flowlog.launcher import daemon, java, java_options, kcl_properties, leftovers
from kcl_flowlog.launcher.admission import Admission, admission_of
from kcl_flowlog.launcher.beats import Beats
from kcl_flowlog.launcher.claim_notes import ClaimNotes
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.daemon_credentials import DaemonCredentials
from kcl_flowlog.launcher.daemon_files import DaemonFiles
from kcl_flowlog.launcher.daemon_starter import DaemonStarter
from kcl_flowlog.launcher.final_scrape import FinalScrape
from kcl_flowlog.launcher.free_space import FreeSpace
from kcl_flowlog.launcher.housekeeping import Housekeeping
from kcl_flowlog.launcher.inbox import Inbox
from kcl_flowlog.launcher.ineffective_settings import warn_of_ineffective_settings
from kcl_flowlog.launcher.java_way_out import JavaWayOut, without_proxies
from kcl_flowlog.launcher.ledger_age import set_old_ledger_aside
from kcl_flowlog.launcher.main_loop import MainLoop
from kcl_flowlog.launcher.open_shards import OpenShards
from kcl_flowlog.launcher.overviews import Overviews
from kcl_flowlog.launcher.own_shards import OwnShards
from kcl_flowlog.launcher.page_parts import pages_of
from kcl_flowlog.launcher.prctl import become_subreaper
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.launcher.sampler import Sampler
from kcl_flowlog.launcher.setting_checks import check_settings
from kcl_flowlog.launcher.shown_settings import shown_settings
from kcl_flowlog.launcher.signals import StopRequests
from kcl_flowlog.launcher.state_directory import StateDirectory
from kcl_flowlog.launcher.status import Status, note_shown
from kcl_flowlog.launcher.supervisor import Supervisor
from kcl_flowlog.launcher.watchdog import Watchdog
from kcl_flowlog.launcher.who_parts import who_parts
from kcl_flowlog.web.server import WebServer

log = logging.getLogger(__name__)

# A scrape must not wait for a writer that hangs.
_NOTE_PATIENCE = 1.0


def run(config: Config, environ: Mapping[str, str], denials: BinaryIO, stop: StopRequests) -> None:
    """Run an instance until a stop is requested. Denials go to `denials`, one line each.

    Raises `ConfigError` for what the user can fix, any other `FlowlogError` to give up.
    """
    formats = [parsed for _, parsed in map(parse_option, config.flow_log_format)]
    environ = with_old_names(environ)
    aws = Aws(stream_region(config.stream, config.region, environ), environ)
    stream = find_stream(config.stream, config.stream_role, aws.region)
    runtime, jars = java.find_java(config.java, environ), java.find_jars()
    check_settings(config)
    with ExitStack() as stack:
        state = stack.enter_context(StateDirectory(config.state_dir))
        builder = None
        if not stop.is_pending:
            # First: a wrong proxy or bundle would show as missing credentials.
            way_out = java_way_out(config, aws, stream, state)
            credentials = stack.enter_context(DaemonCredentials(aws.identity))
            builder = _prepare(config, environ, aws, stream, runtime, jars, state, credentials, way_out, stop)
        if builder is None:
            log.info("Stopped before the start")
            return
        with builder.open_ledger() as ledger, closing(builder.build(ledger, denials, stop)) as main_loop:
            main_loop.start()
            # Not earlier: the sentence about a mistake of the user stands alone on stderr.
            fields = {**builder.identity(), "metrics": main_loop.web_server.url}
            log.info("kcl-flowlog started", extra={"fields": fields})
            state.log_findings()
            warn_of_ineffective_settings(config, formats, builder.position)
            main_loop.run()


def _prepare(
    config: Config,
    environ: Mapping[str, str],
    aws: Aws,
    stream: Stream,
    runtime: java.Java,
    jars: java.Jars,
    state: StateDirectory,
    credentials: DaemonCredentials,
    way_out: JavaWayOut,
    stop: StopRequests,
) -> _Builder | None:
    """Get everything ready that a daemon needs; return None if a stop was requested before it is."""
    identity = aws.check_stream(stream)
    kcl_properties.check_consumer(config.kcl_property, identity.arn if identity is not None else "", stream.name)
    admission = admission_of(config, aws, state, stream, identity)
    position = admission.admit(config.initial_position, stop.wait)
    if position is None:
        return None
    # Not earlier: a copy of a directory names the processors of the instance that it was copied from.
    leftovers.end_processors(state)
    leftovers.set_broken_ledger_aside(state)
    become_subreaper()
    if not set_old_ledger_aside(state.ledger, admission.leases, stop.wait):
        return None
    return _Builder(config, environ, aws, stream, runtime, jars, state, credentials, way_out, admission, position)


def java_way_out(config: Config, aws: Aws, stream: Stream, state: StateDirectory) -> JavaWayOut:
    """Return the daemon's way to AWS. Raises `ConfigError`."""
    services = ["kinesis", "dynamodb", *(["sts"] if stream.role else [])]
    way_out = aws.way_out(services, kcl_properties.endpoints(config.kcl_property))
    return JavaWayOut(way_out, state.java_arguments, state.trust_store)


@dataclass(frozen=True)
class _Builder:
    """Builds the parts from what the checks found."""

    config: Config
    environ: Mapping[str, str]
    aws: Aws
    stream: Stream
    runtime: java.Java
    jars: java.Jars
    state: StateDirectory
    credentials: DaemonCredentials
    way_out: JavaWayOut
    admission: Admission
    position: str

    def identity(self) -> dict[str, str]:
        """Return what identifies this run, in the first log line and on the page."""
        return {
            "version": __version__,
            "stream": self.config.stream,
            "application": self.config.application,
            "worker_id": self.state.worker_id(),
            "region": self.aws.region,
            "java": self.runtime.version,
            "kcl": self.jars.kcl,
        }

    # It is long because it lists all parts, in the order in which they need each other.
    def build(self, ledger: Ledger, denials: BinaryIO, stop: StopRequests) -> MainLoop:
        """Return the parts, connected and not yet started. Raises `ConfigError`."""
        config, state, start = self.config, self.state, self.admission.start
        leader_lock = self.admission.leader_lock
        damage = DamageNote()
        registrar = Registrar(self.admission.leases, self.open_ledger, state.worker_id(), damage, start.is_current)
        inventory = self._inventory()
        notes = ClaimNotes(self.admission.leases, state.worker_id())
        inbox = Inbox(state.messages_socket(), denials, registrar.register, inventory.look_up, write_note=notes.write)
        files = DaemonFiles(config, state, self.stream, self.aws.region, self.position, self.way_out)
        starter = DaemonStarter(ledger, damage, inbox, leader_lock, files, state.attempts, self._spawn_daemon)
        supervisor = Supervisor(starter.start, time.monotonic, config.ready_timeout)
        save_shown = partial(note_shown, self._open_ledger_briefly, damage)
        new_series = NewSeries(config.new_series_hold, ledger.shown(), save_shown)
        who = who_parts(config, self.open_ledger, inventory, damage)
        own_shards = OwnShards(self.admission.leases, state.worker_id(), inbox.shards)
        open_shards = OpenShards(self.aws.shard_counter(self.stream))
        status = Status(
            self.open_ledger,
            inventory,
            inbox,
            supervisor,
            self.aws.identity,
            config.stuck_after,
            self._build(),
            damage,
            open_shards,
            own_shards,
            FreeSpace(state.path),
            who=who.keeper,
        )
        sampler = Sampler(status.read_totals)
        settings = shown_settings(config)
        overviews = Overviews(self.identity(), settings, inventory, status, supervisor, sampler, who.keeper)
        web_server = WebServer(
            config.web_listen_address,
            pages_of(config, status, new_series, supervisor, overviews, who.answers),
            str(config.web_config_file or ""),
        )
        return MainLoop(
            inbox=inbox,
            web_server=web_server,
            inventory=inventory,
            supervisor=supervisor,
            watchdog=Watchdog(inbox, supervisor.replace, config.stuck_after, time.monotonic),
            housekeeping=Housekeeping(
                ledger,
                registrar,
                inbox,
                inventory,
                state.dead_letters,
                config.dead_letter_limit,
                config.series_ttl,
                damage,
                removes_who=not config.who,
            ),
            own_shards=own_shards,
            open_shards=open_shards,
            who=who.keeper,
            sampler=sampler,
            leader_lock=leader_lock,
            beats=Beats(start),
            final_scrape=FinalScrape(web_server, new_series, stop.wait),
            stop=stop,
            shutdown_grace=config.shutdown_grace,
            final_scrape_timeout=config.final_scrape_timeout,
        )

    def _inventory(self) -> InventoryKeeper:
        saved = self.state.inventory
        return InventoryKeeper(
            accounts.source_readers(self.config, self.aws),
            saved.read_bytes() if saved.exists() else None,
            self._save_inventory,
            self.config.inventory_interval,
            self.config.series_ttl,
            details=KeptDetails() if self.config.who else None,
        )

    def _save_inventory(self, inventory: Inventory) -> None:
        state = self.state
        state.write_together({state.packed_inventory: pack(inventory), state.inventory: subnets.dump(inventory)})

    def open_ledger(self) -> Ledger:
        """Open another connection to the ledger."""
        # Settling a commit folds it, so these bounds are those of the processors.
        bounds = SubnetBounds(self.config.max_subnets, self.config.max_unlisted_subnets)
        return Ledger(self.state.ledger, bounds=bounds, keeps_who=self.config.who)

    def _open_ledger_briefly(self) -> Ledger:
        return Ledger(self.state.ledger, patience=_NOTE_PATIENCE)

    def _spawn_daemon(self, before_kill: Callable[[], None]) -> Daemon:
        argv = daemon.command(
            self.runtime,
            self.jars,
            (
                self.way_out.option,
                *java_options.with_defaults(self.config.java_options, self.environ, self.admission.count_shards()),
            ),
            self.config.log_level == "debug",
            self.state.properties,
            self.state.logback,
        )
        environ = without_proxies(daemon_environment(self.environ, self.aws.region, bool(self.stream.role)))
        environ |= self.credentials.environment()
        environ[PROCESSOR_SETTINGS_VARIABLE] = str(self.state.processor_settings)
        environ[PROCESSOR_KEY_VARIABLE] = self.state.processor_key()
        return Daemon.start(argv, daemon.environment(environ, sys.executable), before_kill)

    def _build(self) -> dict[str, str]:
        return {
            "version": __version__,
            "kclpy": self.jars.kclpy,
            "kcl": self.jars.kcl,
            "python": platform.python_version(),
            "java": self.runtime.version,
        }
