"""A shard processor in this process: the daemon is a test that calls it, the launcher a fake."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
from amazon_kclpy import kcl

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import ClaimNote, Denials, Heartbeat, Hello, Log, Message, Messenger
from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.counting.inventory_packing import pack
from kcl_flowlog.processor.faults import FaultPoint, no_fault
from kcl_flowlog.processor.shard import ShardProcessor
from tests.support.clocks import FakeClock
from tests.support.conversation import GOOD, INVENTORY, payload
from tests.support.ledgers import SHARD

Record = tuple[int, bytes]
"""A record: its sequence number and its payload."""

FIRST: Record = (101, payload(GOOD))
SECOND: Record = (102, payload(GOOD, GOOD))
POISON: Record = (103, b"arsenic")
UNLISTED = "2 1 eni-0000000f 10.0.1.50 10.9.0.60 40000 3389 6 1 40 1700000000 1700000060 REJECT OK"
THROTTLED = ["ThrottlingException"] * 5
"""The refusals that make a commit give up for now."""
LOST = ["ShutdownException"]


class FakeMessenger(Messenger):
    """Keeps what is sent to the launcher; answers each claim with `permit`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.permit: list[str] | None = ["NORMAL"]
        self.note_answers: list[list[str] | None] = []
        """The answers to the next notes in the claim; afterwards each note is written."""

    def send(self, message: Message) -> None:
        # A copy: the sender may change the message afterwards.
        self.sent.append(msgspec.structs.replace(message))

    def request(self, message: Hello | ClaimNote | Denials) -> list[str] | None:
        self.send(message)
        if isinstance(message, Hello):
            return self.permit
        return self.note_answers.pop(0) if isinstance(message, ClaimNote) and self.note_answers else []

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """Return the messages of one class."""
        return [message for message in self.sent if isinstance(message, kind)]

    @property
    def log_texts(self) -> list[tuple[str, str]]:
        """Return level and text of each log message."""
        return [(message.level, message.text) for message in self.of_kind(Log)]

    @property
    def denials(self) -> int:
        """Return how many denials were delivered."""
        return sum(len(message.lines) for message in self.of_kind(Denials))

    @property
    def heartbeats(self) -> list[Heartbeat]:
        """Return the heartbeats."""
        return self.of_kind(Heartbeat)


class FakeKclCheckpointer:
    """amazon_kclpy's checkpointer: grants each checkpoint, except that it refuses the first ones by `refusals`."""

    def __init__(self) -> None:
        self.refusals: list[str] = []
        self.requests: list[tuple[str | None, int | None]] = []

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        self.requests.append((sequence_number, sub_sequence_number))
        if self.refusals:
            raise kcl.CheckpointError(self.refusals.pop(0))


class Driver:
    """Calls a processor as the daemon does."""

    def __init__(self, directory: Path, ledger: Ledger, **settings: Any) -> None:
        self.directory = directory
        self.ledger = ledger
        self.wall = FakeClock(1_700_000_100.0)
        self.monotonic = FakeClock(50.0)
        self.messenger = FakeMessenger()
        self.checkpointer = FakeKclCheckpointer()
        self.inventory = directory / "inventory.packed"
        self.inventory.write_bytes(pack(INVENTORY))
        self.points: list[tuple[str, bytes]] = []
        self.on_point: FaultPoint = no_fault
        self.settings = ProcessorSettings(
            **{
                "generation": ledger.begin_generation(),
                "ledger": str(directory / "ledger.sqlite3"),
                "inventory": str(self.inventory),
                "attempts": str(directory / "attempts"),
                "messages": "",
                "flow_log_formats": (),
                "log_groups": (),
                "deduplicate": True,
                "watched_ports": ("3389",),
                "payload_limit": 1_000_000,
                "checkpoint_interval": 30.0,
                "log_deny": "json",
                "log_deny_rate": 0,
                "log_deny_burst": 1000,
                "max_subnets": 5000,
                "max_unlisted_subnets": 500,
                **settings,
            }
        )
        self.processor = self.new_processor()

    def new_processor(self) -> ShardProcessor:
        """Return a processor that was not called yet."""
        return ShardProcessor(
            self.settings,
            self.ledger,
            self.messenger,
            clock=self.wall,
            monotonic=self.monotonic,
            sleep=lambda seconds: None,
            fault_point=self._note,
        )

    def _note(self, point: str, payload: bytes = b"") -> None:
        self.points.append((point, payload))
        self.on_point(point, payload)

    def initialize(self, at: str = "TRIM_HORIZON", sub_sequence: int | None = 0) -> None:
        self.processor.initialize(SimpleNamespace(shard_id=SHARD, sequence_number=at, sub_sequence_number=sub_sequence))

    def deliver(
        self,
        *records: Record,
        millis_behind: int | None = 0,
        sub_sequence: int | None = 0,
        error: Exception | None = None,
    ) -> None:
        """Deliver a batch; the record with sequence number n arrived n seconds after 1,700,000,000.

        With an `error`, the batch can't be read to its end.
        """
        batch = [
            SimpleNamespace(
                sequence_number=str(sequence),
                sub_sequence_number=sub_sequence,
                data=memoryview(base64.b64encode(payload)),
                timestamp_millis=1_700_000_000_000 + 1000 * sequence,
            )
            for sequence, payload in records
        ]
        self.processor.process_records(
            SimpleNamespace(
                records=_read(batch, error), checkpointer=self.checkpointer, millis_behind_latest=millis_behind
            )
        )

    def lose_lease(self) -> None:
        self.processor.lease_lost(SimpleNamespace())

    def end_shard(self) -> None:
        self.processor.shard_ended(SimpleNamespace(checkpointer=self.checkpointer))

    def request_shutdown(self) -> None:
        self.processor.shutdown_requested(SimpleNamespace(checkpointer=self.checkpointer))

    @property
    def checkpoints(self) -> Sequence[tuple[str | None, int | None]]:
        """Return the checkpoints requested so far."""
        return self.checkpointer.requests

    @property
    def note(self) -> Path:
        """Return the file with the record in hand."""
        return self.directory / "attempts" / SHARD

    @property
    def flows(self) -> int:
        """Return how many flows are published."""
        return sum(total.flows for total in self.ledger.totals().traffic)

    def count(self, name: str, label: str = "") -> int:
        """Return a published count, 0 if it was never added to."""
        return self.ledger.totals().counts.get((name, label), 0)

    @property
    def left(self) -> list[str]:
        """Return the shards with a commit that the lease table has to settle."""
        return [commit.shard_id for commit in self.ledger.left_commits()]

    def wait_for_the_next_commit(self) -> None:
        """Let the checkpoint interval pass."""
        self.monotonic.now += self.settings.checkpoint_interval


def _read(batch: Sequence[SimpleNamespace], error: Exception | None) -> Iterator[SimpleNamespace]:
    yield from batch
    if error is not None:
        raise error
