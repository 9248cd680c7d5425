"""The counting of one shard's records, from Kinesis records to a delta.

Feeds `PayloadCounter`, keeps the inventory current, notes the record in hand,
and delivers denials and unknown interfaces to the launcher. Promises that all
denials of a delta are written before `complete` returns it, except those held
back, which it counts. Knows no checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pybase64

from kcl_flowlog.commits.messages import Messenger, UnknownInterfaces
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.attribution import Attributor
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.payload import PayloadCounter
from kcl_flowlog.counting.positions import PayloadOrigin, Position
from kcl_flowlog.counting.who import sketches
from kcl_flowlog.counting.who.steps import STEP
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.denial_queue import DenialQueue
from kcl_flowlog.processor.in_hand import RecordInHand
from kcl_flowlog.processor.live_inventory import LiveInventory

# A row of a delta, roughly.
_ROW_BYTES = 100


class Record(Protocol):
    """A record as amazon_kclpy delivers it; `data` is the payload in base64."""

    data: memoryview
    sequence_number: str
    sub_sequence_number: int | None
    timestamp_millis: int


def position_of(record: Record) -> Position:
    """Return the position of a record in its shard."""
    return Position(record.sequence_number, record.sub_sequence_number or 0)


class ShardCounter:
    """Counts the records of one shard into `delta`."""

    def __init__(
        self,
        shard_id: str,
        begins_at: Position,
        payloads: PayloadCounter,
        attributor: Attributor,
        inventory: LiveInventory,
        in_hand: RecordInHand,
        denials: DenialQueue,
        messenger: Messenger,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        fault_point: faults.FaultPoint = faults.no_fault,
        one_at_a_time: bool = False,
        new_delta: Callable[[], Delta] = Delta,
    ) -> None:
        """`one_at_a_time` until the next commit, so that a death is the fault of the record in hand and no other."""
        # long because all the world comes through here.
        self._shard_id = shard_id
        self._position = begins_at
        self._payloads = payloads
        self._attributor = attributor
        self._inventory = inventory
        self._in_hand = in_hand
        self._denials = denials
        self._messenger = messenger
        self._clock = clock
        self._monotonic = monotonic
        self._fault_point = fault_point
        self._one_at_a_time = one_at_a_time
        self._batch_started_at = monotonic()
        self._batch_clock = 0.0
        self._new_delta = new_delta
        self.delta = new_delta()

    @property
    def size(self) -> int:
        """The number of rows that a commit of all counted so far writes, or that take as much memory."""
        who = self.delta.who
        return self.delta.size + self._payloads.rows + (who.size // _ROW_BYTES if who is not None else 0)

    def refresh_inventory(self) -> None:
        """Use the launcher's latest inventory."""
        index = self._inventory.changed()
        if index is not None:
            self._attributor.use(index)

    def begin_batch(self) -> None:
        """Prepare for the records of one batch."""
        self._batch_started_at = self._monotonic()
        self._batch_clock = self._clock()
        self.refresh_inventory()

    def count(self, record: Record, *, alone: bool = False) -> None:
        """Count one record of the batch, perhaps with the records after it, unless `alone`.

        The next processor knows it if this one dies of it, or of records before it.
        """
        self._position = position_of(record)
        payload = pybase64.b64decode(record.data, validate=True)
        self._in_hand.begin(self._position)
        self._fault_point(faults.PAYLOAD, payload)
        self._payloads.add(payload, PayloadOrigin(self._shard_id, self._position), self._batch_clock, self.delta)
        if alone or self._one_at_a_time:
            self._payloads.flush()
        self._in_hand.end()
        self._denials.deliver_if_many()

    def quarantine(self, record: Record) -> int:
        """Keep one record of the batch as a dead letter, without counting it; return its size in bytes."""
        # Records before it may wait to be counted.
        self._flush()
        self._position = position_of(record)
        payload = pybase64.b64decode(record.data, validate=True)
        self._payloads.quarantine(payload, PayloadOrigin(self._shard_id, self._position), self.delta)
        return len(payload)

    def end_batch(self) -> None:
        """Complete the counts of the batch, and deliver what it has for the launcher."""
        self._flush()
        # Before any checkpoint of this batch, so that each denial is written at least once.
        self._denials.deliver()
        self._denials.warn()
        self.delta.observe(counts.BATCH_DURATION, self._monotonic() - self._batch_started_at)
        unknown = self._attributor.unknown_interfaces
        if unknown:
            self._messenger.send(UnknownInterfaces(sorted(unknown)))
            unknown.clear()

    def _flush(self) -> None:
        """Count the records that wait; the last of them is in hand meanwhile."""
        self._in_hand.begin(self._position)
        self._payloads.flush()
        self._in_hand.end()

    def complete(self) -> tuple[Delta, Position]:
        """Return all counted so far and the last position counted, and begin a new delta.

        Records that wait for more to be known about their interface are counted as well as they can be by now.
        """
        now = self._clock()
        self._payloads.finish(now, self.delta)
        self._denials.deliver()
        held_back = self._denials.take_held_back()
        if held_back:
            self.delta.add(counts.DENIALS_HELD_BACK, number=held_back)
        self._one_at_a_time = False
        completed, self.delta = self.delta, self._new_delta()
        if completed.who is not None:
            # As counters do, it shows what was counted when, not when flows were.
            completed.sketch = sketches.encode(completed.who.take(int(now // STEP)))
        return completed, self._position

    def discard(self) -> None:
        """Forget all counted since the last `complete`."""
        self.delta = self._new_delta()
        self._payloads.forget()
        self._denials.take_held_back()
