"""A shard processor by itself, where a conversation can't go: clocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Heartbeat
from kcl_flowlog.commits.processor_settings import ProcessorSettings
from kcl_flowlog.counting import subnets
from kcl_flowlog.errors import FlowlogError
from kcl_flowlog.processor.shard import ShardProcessor

BATCH = SimpleNamespace(records=[], checkpointer=None, millis_behind_latest=0)


class FakeMessenger:
    """A launcher that refuses every claim, as the lease is another's by then."""

    def __init__(self) -> None:
        self.beats: list[float] = []

    def ask(self, message: object) -> None:
        """Say no."""

    def tell(self, message: object) -> None:
        if isinstance(message, Heartbeat):
            self.beats.append(message.at)

    def log(self, level: str, text: str, **fields: object) -> None:
        """Say nothing."""


class Refused:
    """A processor whose claim was refused, its clocks, and what it told."""

    def __init__(self, directory: Path, ledger: Ledger) -> None:
        self.wall = 1000.0
        self.monotonic = 0.0
        self.messenger = FakeMessenger()
        inventory = directory / "inventory.json"
        inventory.write_bytes(subnets.dump(subnets.Inventory()))
        settings = ProcessorSettings(
            ledger=str(directory / "ledger.sqlite3"),
            inventory=str(inventory),
            attempts=str(directory / "attempts"),
            messages="",
            generation=ledger.begin_generation(),
            flow_log_formats=(),
            deduplicate=True,
            watched_ports=(),
            payload_limit=1_000_000,
            checkpoint_interval=0.0,
            log_deny=False,
        )
        self.processor = ShardProcessor(
            settings, ledger, self.messenger, clock=lambda: self.wall, monotonic=lambda: self.monotonic
        )
        self.processor.initialize(SimpleNamespace(shard_id="shard", sequence_number="5", sub_sequence_number=0))

    def deliver(self, seconds: float, wall: float) -> None:
        self.monotonic, self.wall = seconds, wall
        self.processor.process_records(BATCH)


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Refused]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Refused(tmp_path, ledger)


def test_a_lost_lease_is_endured_for_a_minute_whatever_the_wall_clock_says(refused: Refused) -> None:
    """A processor that the daemon doesn't end by then ends by itself, as nobody would read its shard."""
    refused.deliver(1.0, 1000.0)
    refused.deliver(60.0, 1000.0 + 3600)
    with pytest.raises(FlowlogError, match="yet its records go on arriving"):
        refused.deliver(60.1, 1000.0 - 3600)


def test_signs_of_life_go_on_when_the_wall_clock_is_set_back(refused: Refused) -> None:
    """Once a second, each with the time of the clock."""
    refused.deliver(0.0, 1000.0)
    refused.deliver(0.9, 1000.9)
    refused.deliver(1.0, 500.0)

    assert refused.messenger.beats == [1000.0, 500.0]
