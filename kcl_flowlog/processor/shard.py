"""The record processor that the KCL calls: one shard, from `initialize` to the end of its lease.

Promises that every callback either succeeds or raises, which must end the
process before a status is written. What a callback does depends on the shard:
uninitialized, held or lost.

Protocol: MultiLangDaemon of amazon-kinesis-client 3.1.3.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from amazon_kclpy import messages as protocol
from amazon_kclpy.v3 import processor as v3

from kcl_flowlog.commits.claims import Care, digest
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello, Messenger
from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import Window
from kcl_flowlog.counting.formats import Formats
from kcl_flowlog.counting.inventory_index import Index
from kcl_flowlog.counting.log_groups import LogGroups
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnets import Inventory
from kcl_flowlog.counting.who.collector import Collector
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.caution import Caution
from kcl_flowlog.processor.checkpointer import KclCheckpointer
from kcl_flowlog.processor.committer import Checkpointer, Committer
from kcl_flowlog.processor.denial_forms import line_maker
from kcl_flowlog.processor.denial_limit import DenialLimit
from kcl_flowlog.processor.denial_queue import DenialQueue
from kcl_flowlog.processor.heartbeats import Heartbeats
from kcl_flowlog.processor.held_shard import HeldShard
from kcl_flowlog.processor.in_hand import RecordInHand
from kcl_flowlog.processor.live_inventory import LiveInventory
from kcl_flowlog.processor.shard_counter import Record, ShardCounter
from kcl_flowlog.processor.unheld_shard import LeaseLost, LostShard, UninitializedShard


class _Shard(Protocol):
    def process_records(self, records: Iterable[Record], checkpointer: Checkpointer) -> None: ...
    def lease_lost(self) -> None: ...
    def shard_ended(self, checkpointer: Checkpointer) -> None: ...
    def shutdown_requested(self, checkpointer: Checkpointer) -> None: ...


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
        fault_point: faults.FaultPoint = faults.no_fault,
    ) -> None:
        """`clock` tells moments, in Unix seconds; as it may be set at any time, `monotonic` measures durations."""
        self._settings = settings
        self._ledger = ledger
        self._messenger = messenger
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._fault_point = fault_point
        self._heartbeats = Heartbeats(messenger, clock, monotonic)
        self._shard: _Shard = UninitializedShard()
        # Replaces the shard once its lease is lost.
        self._make_lost: Callable[[], _Shard] = UninitializedShard

    def initialize(self, initialize_input: protocol.InitializeInput) -> None:
        """Claim the shard, and wait until the claim is registered or refused: nothing is checkpointed before."""
        shard_id = initialize_input.shard_id
        begins_at = Position(initialize_input.sequence_number, initialize_input.sub_sequence_number or 0)
        claim = self._ledger.claim(shard_id, self._settings.generation, begins_at)
        in_hand = RecordInHand(Path(self._settings.attempts) / shard_id)
        self._make_lost = lambda: LostShard(shard_id, in_hand, self._messenger, self._monotonic)
        suspect = in_hand.suspect
        died_of = digest(suspect) if suspect is not None else ""
        permit = self._messenger.request(Hello(shard_id, os.getpid(), claim.token, *begins_at, died_of))
        self._messenger.log("info", "Shard leased", shard_id=shard_id, checkpoint=begins_at.sequence)
        if permit is None:
            self._shard = self._make_lost()
        else:
            in_hand.end()
            care, *poison = permit
            self._shard = self._hold(claim, begins_at, frozenset(poison), Care[care], in_hand, suspect is not None)

    def process_records(self, process_records_input: protocol.ProcessRecordsInput) -> None:
        """Count a batch, and commit if it is time; send a heartbeat."""
        records = self._noted(process_records_input.records)
        try:
            self._shard.process_records(records, KclCheckpointer(process_records_input.checkpointer))
        except LeaseLost:
            self._shard = self._make_lost()
        for _ in records:
            # A lost shard ignores them; the daemon is answered once all of a batch was read.
            pass
        self._heartbeats.beat((process_records_input.millis_behind_latest or 0) / 1000)

    def lease_lost(self, lease_lost_input: protocol.LeaseLostInput) -> None:
        """Forget what was not committed."""
        self._shard.lease_lost()

    def shard_ended(self, shard_ended_input: protocol.ShardEndedInput) -> None:
        """Commit the rest and checkpoint the shard's end. Raises `LeaseLost` if that is not allowed any more."""
        self._shard.shard_ended(KclCheckpointer(shard_ended_input.checkpointer))

    def shutdown_requested(self, shutdown_requested_input: protocol.ShutdownRequestedInput) -> None:
        """Make the last commit before the lease is given up."""
        try:
            self._shard.shutdown_requested(KclCheckpointer(shutdown_requested_input.checkpointer))
        except LeaseLost:
            self._shard = self._make_lost()

    def _noted(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self._heartbeats.note_record(record.timestamp_millis / 1000)
            yield record

    def _hold(
        self,
        claim: Claim,
        begins_at: Position,
        poison: frozenset[str],
        care: Care,
        in_hand: RecordInHand,
        one_at_a_time: bool,
    ) -> HeldShard:
        """Return the shard of a registered claim, ready to count."""
        counter = self._make_counter(claim.shard_id, begins_at, in_hand, one_at_a_time)
        counter.refresh_inventory()
        return HeldShard(
            claim.shard_id,
            counter,
            Committer(self._ledger, claim, self._sleep, fault_point=self._fault_point),
            poison,
            self._make_caution(claim, care) if care is not Care.NORMAL else None,
            in_hand,
            self._heartbeats,
            self._messenger,
            self._settings.checkpoint_interval,
            self._monotonic,
        )

    def _make_caution(self, claim: Claim, care: Care) -> Caution:
        interval = self._settings.checkpoint_interval
        return Caution(claim, care, self._messenger, interval, self._monotonic, self._sleep)

    def _make_counter(
        self, shard_id: str, begins_at: Position, in_hand: RecordInHand, one_at_a_time: bool
    ) -> ShardCounter:
        # long because it hands every setting on.
        settings = self._settings
        attributor = Attributor(Index(Inventory()))
        formats = Formats(settings.flow_log_formats)
        denials = DenialQueue(
            shard_id,
            self._messenger,
            line_maker(settings.log_deny, formats),
            DenialLimit(settings.log_deny_rate, settings.log_deny_burst, self._monotonic),
            self._clock,
            self._monotonic,
        )
        # Registering the claim has settled the commits of earlier processors, so their fingerprints are here, too.
        window = Window(self._ledger.fingerprints(shard_id))
        payloads = PayloadCounter(
            formats,
            attributor,
            frozenset(settings.watched_ports),
            settings.payload_limit,
            denials.add if settings.log_deny else None,
            window if settings.deduplicate else None,
            # More than the ledger has room for, so that a few more do not hide those that have their series already.
            max_unlisted_subnets=2 * settings.max_unlisted_subnets,
            log_groups=LogGroups(settings.log_groups),
        )
        return ShardCounter(
            shard_id,
            begins_at,
            payloads,
            attributor,
            LiveInventory(Path(settings.inventory)),
            in_hand,
            denials,
            self._messenger,
            self._clock,
            self._monotonic,
            self._fault_point,
            one_at_a_time,
            (lambda: Delta(Collector())) if settings.who else Delta,
        )
