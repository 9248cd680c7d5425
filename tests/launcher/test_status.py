"""What the pages show: the state of a scrape, and each reason for not healthy and not ready."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kcl_flowlog.commits.damage import DamageNote, LedgerError, is_damage
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Heartbeat
from kcl_flowlog.counting.delta import Snapshot, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.exporter.state import FileSystem, ShardState
from kcl_flowlog.inventory.coverage import Coverage, FailingFlowLog
from kcl_flowlog.inventory.overlaps import Overlap
from kcl_flowlog.launcher.inbox import HeldShard
from kcl_flowlog.launcher.status import Status, note_shown
from tests.support.clocks import FakeClock
from tests.support.launcher_fakes import (
    INVENTORY,
    FakeCredentials,
    FakeDaemonState,
    FakeFreeSpace,
    FakeInbox,
    FakeInventory,
    FakeOpenShards,
    FakeOwnShards,
)
from tests.support.ledgers import change, claim, commit

STUCK_AFTER = 300.0
BUILD = {"version": "1.2.3"}


class Shown:
    """A status over parts that the test sets, with a ledger in a directory."""

    def __init__(self, directory: Path, *shards: HeldShard) -> None:
        self.path = directory / "ledger.sqlite3"
        self.clock = FakeClock()
        self.inventory = FakeInventory()
        self.daemon = FakeDaemonState()
        self.credentials = FakeCredentials()
        self.damage = DamageNote()
        self.open_shards = FakeOpenShards()
        self.own_shards = FakeOwnShards()
        self.free_space = FakeFreeSpace()
        self.status = Status(
            self.open_ledger,
            self.inventory,
            FakeInbox(*shards),
            self.daemon,
            self.credentials,
            STUCK_AFTER,
            BUILD,
            self.damage,
            self.open_shards,
            self.own_shards,
            self.free_space,
            self.clock,
        )

    def open_ledger(self) -> Ledger:
        return Ledger(self.path, patience=0.0)


def test_an_instance_in_order_is_healthy_and_ready(tmp_path: Path) -> None:
    """Even without a shard: others may hold all of them."""
    status = Shown(tmp_path).status

    assert ([], []) == (status.why_unhealthy(), status.why_not_ready())


def test_a_processor_that_hangs_makes_the_instance_unhealthy(tmp_path: Path) -> None:
    """The page names its shard, and not the shards of the others."""
    shown = Shown(tmp_path, HeldShard("shardId-0", 10, 0.0, 1000.0), HeldShard("shardId-1", 11, 0.0, 1001.0))

    shown.clock.now = 1000.0 + STUCK_AFTER
    in_time = shown.status.why_unhealthy()
    shown.clock.now += 1.0

    assert [] == in_time
    assert ["The processor of shardId-0 has not called back for over 300 s."] == shown.status.why_unhealthy()


def test_an_instance_without_inventory_is_not_ready(tmp_path: Path) -> None:
    """No record could be given a subnet."""
    shown = Shown(tmp_path)
    shown.inventory.has_inventory = False

    assert ["The inventory has not been read from EC2 yet."] == shown.status.why_not_ready()


def test_an_instance_without_an_initialised_daemon_is_not_ready(tmp_path: Path) -> None:
    """Nothing can arrive yet."""
    shown = Shown(tmp_path)
    shown.daemon.is_up = False

    assert ["The daemon is not initialised yet."] == shown.status.why_not_ready()


@pytest.mark.parametrize(
    ("waiting", "reasons"),
    [
        ([], []),
        (None, ["The lease table has not been read yet."]),
        (["shardId-0"], ["Own shards that have not been read since the start: 1 (shardId-0)."]),
        (list("abcdef"), ["Own shards that have not been read since the start: 6 (a, b, c, d, e, …)."]),
    ],
)
def test_an_instance_whose_own_shards_are_not_read_is_not_ready(
    waiting: list[str] | None, reasons: list[str], tmp_path: Path
) -> None:
    """A rolling restart waits until this instance reads again what it read before."""
    shown = Shown(tmp_path)
    shown.own_shards.waiting = waiting

    assert reasons == shown.status.why_not_ready()


def test_an_instance_whose_credentials_have_expired_is_not_ready(tmp_path: Path) -> None:
    """Nothing arrives any more, though the daemon runs."""
    shown = Shown(tmp_path)
    shown.credentials.has_expired = True

    assert ["The AWS credentials have expired, and their source gives no new ones."] == shown.status.why_not_ready()


def test_all_reasons_are_given_at_once(tmp_path: Path) -> None:
    """A person sees the whole way to go."""
    shown = Shown(tmp_path)
    shown.inventory.has_inventory = shown.daemon.is_up = False
    shown.own_shards.waiting = None

    assert 3 == len(shown.status.why_not_ready())


def test_a_scrape_shows_each_part_as_it_is_now(tmp_path: Path) -> None:
    """Totals from the ledger, and the rest from the parts."""
    shown = Shown(tmp_path)
    shown.inventory.overlaps = [Overlap("a", "b", True), Overlap("a", "c", True), Overlap("a", "d", False)]
    shown.inventory.coverage = Coverage((FailingFlowLog("fl-1", "access_error"),), ("subnet-b", "subnet-c"))
    shown.inventory.refreshes = Counter({"ok": 3})
    shown.daemon.restarts = Counter({"killed": 2})
    series = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
    with shown.open_ledger() as ledger:
        claim = ledger.claim("shardId-0", ledger.begin_generation())
        ledger.prepare(claim, Position("9"), Snapshot(traffic=[(series, (1, 2, 3))]))
        ledger.fold(claim)

    state = shown.status.read_state()

    assert [(series, 1, 2, 3, 1)] == state.totals.traffic
    assert (INVENTORY, {"same": 2, "different": 1}) == (state.inventory, state.overlaps)
    assert ({"ok": 3}, {"killed": 2}, True) == (state.inventory_refreshes, state.daemon_restarts, state.daemon_up)
    assert {"access_error": 1, "rate_limited": 0, "unknown_error": 0} == state.delivery_errors
    assert (2, 4, BUILD) == (state.subnets_without_flow_logs, state.open_shards, state.build)
    assert FileSystem(1000, 400) == state.file_system


def test_what_ec2_kinesis_and_the_system_do_not_tell_is_unknown(tmp_path: Path) -> None:
    """It is not 0."""
    shown = Shown(tmp_path)
    shown.inventory.coverage = Coverage(None, None)
    shown.open_shards.number = shown.free_space.found = None

    state = shown.status.read_state()

    assert (None, None, None) == (state.delivery_errors, state.subnets_without_flow_logs, state.open_shards)
    assert state.file_system is None


def test_a_scrape_tells_that_the_daemon_is_down(tmp_path: Path) -> None:
    """Between the end of a daemon and the start of the next."""
    shown = Shown(tmp_path)
    shown.daemon.is_up = False

    assert not shown.status.read_state().daemon_up


def test_a_shard_shows_its_last_heartbeat(tmp_path: Path) -> None:
    """Before the first heartbeat, only when it was claimed."""
    heartbeat = Heartbeat(at=50.0, lag=4.5, last_record_at=48.0, last_checkpoint_at=45.0)
    shown = Shown(tmp_path, HeldShard("shardId-0", 10, 40.0, 1.0), HeldShard("shardId-1", 11, 41.0, 1.0, heartbeat))

    assert [
        ShardState("shardId-0", None, 0.0, 0.0, 40.0),
        ShardState("shardId-1", 4.5, 48.0, 45.0, 50.0),
    ] == shown.status.read_state().shards


def test_a_scrape_of_a_damaged_ledger_fails(tmp_path: Path) -> None:
    """The page says so instead of showing nothing, and the damage ends the instance."""
    shown = Shown(tmp_path)
    shown.path.write_bytes(b"no ledger" * 1000)

    with pytest.raises(LedgerError):
        shown.status.read_state()

    assert shown.damage.error is not None


def test_a_scrape_of_a_ledger_with_a_changed_row_fails(tmp_path: Path) -> None:
    """SQLite itself finds nothing wrong with the file."""
    shown = Shown(tmp_path)
    with shown.open_ledger() as ledger:
        commit(ledger, claim(ledger))
    change(shown.path, "UPDATE traffic SET flows = flows + 1")

    with pytest.raises(LedgerError, match="a row of the table traffic does not match its checksum"):
        shown.status.read_state()

    assert shown.damage.error is not None


def test_a_scrape_that_meets_a_locked_ledger_notes_no_damage(tmp_path: Path) -> None:
    """The next scrape may succeed."""
    shown = Shown(tmp_path)
    shown.path.mkdir()

    with pytest.raises(LedgerError, match="unable to open"):
        shown.status.read_state()

    assert shown.damage.error is None


def test_damage_that_saving_what_was_shown_meets_is_noted(tmp_path: Path) -> None:
    """The series stay at 0 until the instance has ended."""
    shown = Shown(tmp_path)
    shown.path.write_bytes(b"no ledger" * 1000)

    assert not note_shown(shown.open_ledger, shown.damage, 7)
    assert shown.damage.error is not None
    assert is_damage(shown.damage.error)


def test_that_series_are_shown_is_noted_for_the_next_run(tmp_path: Path) -> None:
    """The next run shows them at once."""
    shown = Shown(tmp_path)

    is_noted = note_shown(shown.open_ledger, shown.damage, 7)

    with shown.open_ledger() as ledger:
        assert (True, 7) == (is_noted, ledger.shown())


def test_a_ledger_that_cannot_be_written_leaves_new_series_at_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The page is made all the same, and the log says why."""
    shown = Shown(tmp_path)
    with shown.open_ledger() as busy:
        busy._connection.execute("BEGIN IMMEDIATE")

        is_noted = note_shown(shown.open_ledger, shown.damage, 7)

    assert (False, ["The ledger can't be written; new series show 0 until it can"]) == (is_noted, caplog.messages)
