"""The record processor: one process for each shard, driven by the MultiLangDaemon.

Promises that every callback either succeeds or ends the process before its
status is written, as amazon_kclpy would acknowledge a batch whose processing
raised. stdin and stdout are the KCL's protocol; whatever else would write to
stdout goes to stderr. SIGTERM and SIGINT are ignored: a stop comes from the
daemon, as a message or as the end of stdin.

There is one of these for each shard, so it imports no boto3, no click and no
prometheus_client. The home of amazon_kclpy.

Protocol: MultiLangDaemon of amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import msgspec
import pybase64
from amazon_kclpy import kcl
from amazon_kclpy import messages as protocol
from amazon_kclpy.v3 import processor as v3

from kcl_flowlog.commits.claims import mark
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Denials, Farewell, Heartbeat, Hello, Messenger, UnknownInterfaces
from kcl_flowlog.commits.processor_settings import PROCESSOR_SETTINGS_VARIABLE, ProcessorSettings
from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting import counts, subnets
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.payload import Denial, PayloadCounter, PayloadOrigin
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnets import Index
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.committer import Checkpointer, Committer, Outcome
from kcl_flowlog.processor.denials import denial_line
from kcl_flowlog.processor.in_hand import RecordInHand

# A delta of more entries than this is committed before its time, to bound memory.
_LARGE_DELTA = 20_000
_DENIALS_AT_ONCE = 500
_HEARTBEAT_INTERVAL = 1.0
# The daemon ends a processor soon after its lease is lost. If it goes on for longer, something is broken.
_LOST_LEASE_PATIENCE = 60.0


class Checkpoints:
    """amazon_kclpy's checkpointer, as a commit sees it."""

    def __init__(self, checkpointer: kcl.Checkpointer) -> None:
        self._checkpointer = checkpointer

    def checkpoint(self, position: Position | None) -> None:
        """Checkpoint `position`, or all that was delivered. Raises `CheckpointRefused`."""
        try:
            if position is None:
                self._checkpointer.checkpoint()
            else:
                self._checkpointer.checkpoint(position.sequence, position.sub_sequence)
        except kcl.CheckpointError as error:
            raise CheckpointRefused(str(error.value)) from error


class LiveInventory:
    """The launcher's saved inventory, read again whenever it was written anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def changed(self) -> Index | None:
        """Return a new index when the inventory has changed since the last call, else None."""
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_ino)
        if seen == self._seen:
            return None
        self._seen = seen
        return Index(subnets.load(self._path.read_bytes()))


class ShardProcessor(v3.RecordProcessorBase):  # type: ignore[misc] # amazon_kclpy has no types
    """Counts the records of one shard and commits them."""

    def __init__(
        self,
        settings: ProcessorSettings,
        ledger: Ledger,
        messenger: Messenger,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        at: faults.At = faults.nowhere,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._messenger = messenger
        # A wall clock may be set at any time, so it only tells moments; how long something takes is not its business.
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._at = at
        self._inventory = LiveInventory(Path(settings.inventory))
        self._attributor = Attributor(Index(subnets.Inventory()))
        self._window = Window()
        self._counter = PayloadCounter(
            Formats(settings.flow_log_formats),
            self._attributor,
            frozenset(settings.watched_ports),
            settings.payload_limit,
            self._deny if settings.log_deny else None,
            self._window if settings.deduplicate else None,
        )
        self._denials: list[msgspec.Raw] = []
        self._delta = Delta()
        self._shard_id = ""
        self._position: Position | None = None
        self._committer: Committer | None = None
        self._attempts: RecordInHand | None = None
        # The marks of records that have killed.
        self._poison: frozenset[str] = frozenset()
        self._committed_at = monotonic()
        self._lost_at: float | None = None
        self._heartbeat = Heartbeat(0.0, 0.0, 0.0, 0.0)
        self._heartbeat_sent_at = -_HEARTBEAT_INTERVAL

    # The callbacks of the KCL

    def initialize(self, initialize_input: protocol.InitializeInput) -> None:
        """Claim the shard, and wait until the claim is registered, without which nothing may be checkpointed."""
        self._shard_id = initialize_input.shard_id
        begins_at = initialize_input.sequence_number, initialize_input.sub_sequence_number or 0
        claim = self._ledger.claim(self._shard_id, self._settings.generation)
        self._committer = Committer(self._ledger, claim, self._sleep, at=self._at)
        self._attempts = RecordInHand(Path(self._settings.attempts) / self._shard_id)
        suspect = self._attempts.suspect
        died_of = mark(suspect) if suspect is not None else ""
        poison = self._messenger.ask(Hello(self._shard_id, os.getpid(), claim.token, *begins_at, died_of))
        if poison is None:
            self._lost_at = self._monotonic()
        else:
            self._poison = frozenset(poison)
            self._attempts.end()
        # Those of a commit that an earlier processor left are among them only now.
        for one in self._ledger.fingerprints(self._shard_id):
            self._window.add(one)
        self._log("info", "A shard was leased", shard_id=self._shard_id, checkpoint=begins_at[0])
        self._refresh_inventory()

    def process_records(self, process_records_input: protocol.ProcessRecordsInput) -> None:
        """Count a batch; commit when it is time. An empty batch is a chance to commit, too."""
        records = process_records_input.records
        if self._lost_at is not None:
            self._endure_lost_lease(self._lost_at)
        else:
            checkpointer = Checkpoints(process_records_input.checkpointer)
            if records:
                self._count(records, self._clock(), checkpointer)
            if self._is_due():
                self._commit(checkpointer)
        self._send_heartbeat(records, process_records_input.millis_behind_latest)

    def lease_lost(self, lease_lost_input: protocol.LeaseLostInput) -> None:
        """Forget what was not committed: whoever has the lease now counts it."""
        self._delta = Delta()
        self._counter.forget()
        self._ready().abandon()
        if self._attempts is not None:
            self._attempts.forget()
        self._log("info", "The lease is gone", shard_id=self._shard_id)

    def shard_ended(self, shard_ended_input: protocol.ShardEndedInput) -> None:
        """Commit the rest, then checkpoint the shard's end, without which its children are never read."""
        checkpointer = Checkpoints(shard_ended_input.checkpointer)
        while self._has_uncommitted and self._lost_at is None:
            self._commit(checkpointer)
        if self._lost_at is not None or self._ready().end_shard(checkpointer) is not Outcome.DONE:
            raise FlowlogError(f"The lease of {self._shard_id} was lost at the shard's end.")
        if self._attempts is not None:
            self._attempts.forget()
        self._log("info", "The shard has ended", shard_id=self._shard_id)

    def shutdown_requested(self, shutdown_requested_input: protocol.ShutdownRequestedInput) -> None:
        """Make the last commit before the lease is given up."""
        if self._has_uncommitted and self._lost_at is None:
            self._commit(Checkpoints(shutdown_requested_input.checkpointer))
            self._ready().abandon()

    # Counting

    def _count(self, records: list[protocol.Record], now: float, checkpointer: Checkpointer) -> None:
        started = time.perf_counter()
        self._refresh_inventory()
        attempts = self._attempts
        assert attempts is not None, "initialize comes first"  # noqa: S101
        for record in records:
            self._position = Position(record.sequence_number, record.sub_sequence_number or 0)
            payload = pybase64.b64decode(record.data)
            if self._poison and mark(self._position) in self._poison:
                self._quarantine(payload, checkpointer)
                if self._lost_at is not None:
                    return
            else:
                attempts.begin(self._position)
                self._at(faults.PAYLOAD, payload)
                self._counter.count(payload, PayloadOrigin(self._shard_id, self._position), now, self._delta)
                attempts.end()
            if len(self._denials) >= _DENIALS_AT_ONCE:
                self._deliver_denials()
        # Before any checkpoint of this batch, so that a denial is written at least once.
        self._deliver_denials()
        self._delta.observe(counts.BATCH_DURATION, time.perf_counter() - started)
        unknown = self._attributor.unknown_interfaces
        if unknown:
            self._messenger.tell(UnknownInterfaces(len(unknown)))
            unknown.clear()

    def _quarantine(self, payload: bytes, checkpointer: Checkpointer) -> None:
        """Keep a record that kills, and commit at once: the deaths it has cost are behind the shard then."""
        assert self._position is not None  # noqa: S101
        self._counter.quarantine(payload, PayloadOrigin(self._shard_id, self._position), self._delta)
        self._log(
            "error",
            "A record was passed over: each processor that had it in hand died",
            shard_id=self._shard_id,
            sequence_number=self._position.sequence,
            bytes=len(payload),
        )
        self._deliver_denials()
        self._commit(checkpointer)

    def _refresh_inventory(self) -> None:
        index = self._inventory.changed()
        if index is not None:
            self._attributor.use(index)

    def _deny(self, denial: Denial) -> None:
        self._denials.append(denial_line(denial, self._clock()))

    def _deliver_denials(self) -> None:
        if self._denials:
            self._messenger.ask(Denials(self._denials))
            self._denials = []

    # Committing

    def _is_due(self) -> bool:
        timely = self._monotonic() - self._committed_at >= self._settings.checkpoint_interval
        return self._has_uncommitted and (timely or self._delta.size >= _LARGE_DELTA)

    @property
    def _has_uncommitted(self) -> bool:
        return bool(self._delta) or self._ready().has_prepared

    def _commit(self, checkpointer: Checkpointer) -> None:
        committer = self._ready()
        outcome = committer.finish(checkpointer)
        if outcome is Outcome.DONE and self._delta:
            assert self._position is not None, "a delta comes from records"  # noqa: S101
            self._counter.finish(self._clock(), self._delta)
            self._deliver_denials()
            committer.prepare(self._delta, self._position)
            self._delta = Delta()
            outcome = committer.finish(checkpointer)
        self._committed_at = self._monotonic()
        if outcome is Outcome.DONE:
            self._heartbeat.last_checkpoint_at = self._clock()
        elif outcome is Outcome.LOST:
            self._delta = Delta()
            self._lost_at = self._committed_at
            self._log("warning", "The lease was lost before a checkpoint", shard_id=self._shard_id)
        else:
            self._log("warning", "Checkpoints are throttled; trying again later", shard_id=self._shard_id)

    def _endure_lost_lease(self, since: float) -> None:
        """Count nothing more; what is delivered now, another owner counts."""
        if self._monotonic() - since > _LOST_LEASE_PATIENCE:
            raise FlowlogError(f"The lease of {self._shard_id} is lost, yet its records go on arriving.")

    def _ready(self) -> Committer:
        if self._committer is None:
            raise FlowlogError("The daemon sent a message before `initialize`.")
        return self._committer

    # Telling the launcher

    def _send_heartbeat(self, records: list[protocol.Record], millis_behind: int | None) -> None:
        if records:
            self._heartbeat.last_record_at = records[-1].timestamp_millis / 1000
        now = self._monotonic()
        if now - self._heartbeat_sent_at >= _HEARTBEAT_INTERVAL:
            self._heartbeat_sent_at = now
            self._heartbeat.at = self._clock()
            self._heartbeat.lag = (millis_behind or 0) / 1000
            self._messenger.tell(self._heartbeat)

    def _log(self, level: str, text: str, **fields: object) -> None:
        self._messenger.log(level, text, **fields)


class FailStopProcess(kcl.KCLProcess):  # type: ignore[misc] # amazon_kclpy has no types
    """amazon_kclpy's loop, in which an exception ends the process instead of being acknowledged."""

    def _perform_action(self, action: Any) -> None:
        action.dispatch(self.checkpointer, self.processor)


def main() -> None:
    """Run as a child of the MultiLangDaemon until it closes stdin."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    requests, answers = _take_protocol()
    settings = msgspec.json.decode(Path(os.environ[PROCESSOR_SETTINGS_VARIABLE]).read_bytes(), type=ProcessorSettings)
    with Messenger(settings.messages, requests.fileno()) as messenger:
        try:
            with Ledger(Path(settings.ledger)) as ledger:
                processor = ShardProcessor(settings, ledger, messenger, at=faults.ordered(os.environ))
                FailStopProcess(processor, requests, answers, sys.stderr).run()
            messenger.tell(Farewell())
        except Exception as error:  # noqa: BLE001 - the last words of a process that ends here
            _say_last_words(messenger, error)
            # Nothing may be flushed to the protocol any more, and no thread may keep the process.
            os._exit(1)
    os._exit(0)


def _take_protocol() -> tuple[TextIO, TextIO]:
    """Take the protocol's two streams for ourselves; stray output to stdout goes to stderr from here on."""
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.dup2(2, 1)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - for the life of the process
    sys.stdout = sys.stderr
    return requests, answers


def _say_last_words(messenger: Messenger, error: Exception) -> None:
    trace = traceback.format_exc()
    try:
        messenger.log("error", f"A processor ends: {error or type(error).__name__}", trace=trace)
    except OSError:
        # The launcher is gone as well; the daemon may still pass this on.
        sys.stderr.write(trace)
        sys.stderr.flush()


if __name__ == "__main__":
    main()
