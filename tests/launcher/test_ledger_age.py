"""Old copies of a ledger are recognised by the lease table, and never the ledger itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import botocore.exceptions
import pytest

from kcl_flowlog.commits.claims import Verdict, verdict
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.positions import SHARD_END, Position
from kcl_flowlog.launcher.ledger_age import set_old_ledger_aside
from tests.support.lease_fakes import ELSEWHERE, HERE, START, FakeLeases
from tests.support.ledgers import SHARD, make_delta, sums
from tests.support.log_records import fields

THROTTLED = botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException"}}, "Scan")
NO_TABLE = botocore.exceptions.ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Scan")
OTHER = "shardId-000000000001"


class Life:
    """A ledger in use, with a copy of its files from each moment."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "state" / "ledger.sqlite3"
        self.path.parent.mkdir()
        self.copies: list[Path] = []
        self.leases = FakeLeases()
        self.ledger = Ledger(self.path)
        self.generation = self.ledger.begin_generation()
        self.claims: dict[str, Claim] = {}
        for shard_id in (SHARD, OTHER):
            self.leases.assign(shard_id, HERE, START)

    def claim(self, shard_id: str = SHARD) -> None:
        row = self.leases.rows[shard_id]
        self.claims[shard_id] = self.ledger.claim(shard_id, self.generation, row.checkpoint)

    def register(self, shard_id: str = SHARD) -> None:
        assert self.leases.add_claim(shard_id, self.leases.rows[shard_id], self.claims[shard_id].token)

    def prepare(self, upto: str, shard_id: str = SHARD, *, is_end: bool = False) -> None:
        self.ledger.prepare(self.claims[shard_id], Position(upto), make_delta().snapshot(), is_end=is_end)

    def checkpoint(self, upto: str, shard_id: str = SHARD) -> None:
        self.leases.assign(shard_id, self.leases.rows[shard_id].owner, Position(upto))

    def fold(self, shard_id: str = SHARD) -> None:
        self.ledger.fold(self.claims[shard_id])

    def settle(self) -> None:
        self.ledger.abandon(self.claims[SHARD])
        settle(self.ledger, self.leases)


def settle(ledger: Ledger, leases: FakeLeases) -> None:
    """Settle what the rows can decide, as the housekeeping does."""
    for left in ledger.left_commits():
        decided = verdict(leases.rows.get(left.shard_id), left.token, left.upto)
        if decided is not None:
            assert decided is not Verdict.UNDECIDED
            ledger.settle(left, decided)


Step = Callable[[Life], object]
COMMIT: list[Step] = [lambda life: life.prepare("10"), lambda life: life.checkpoint("10"), lambda life: life.fold()]
NEXT: list[Step] = [lambda life: life.prepare("20"), lambda life: life.checkpoint("20"), lambda life: life.fold()]
BEGIN: list[Step] = [lambda life: life.claim(), lambda life: life.register()]

HISTORIES: dict[str, list[Step]] = {
    "commits": [*BEGIN, *COMMIT, *NEXT],
    "a restart": [*BEGIN, *COMMIT, *BEGIN, *NEXT],
    "claims that were never registered": [*BEGIN, *COMMIT, *[lambda life: life.claim()] * 20, *BEGIN, *NEXT],
    "a commit that was dropped": [
        *BEGIN,
        *COMMIT[:1],
        lambda life: life.leases.claim_elsewhere(SHARD, START),
        lambda life: life.settle(),
    ],
    "a commit that was folded late": [
        *BEGIN,
        *COMMIT[:2],
        lambda life: life.leases.claim_elsewhere(SHARD, Position("10")),
        lambda life: life.settle(),
        lambda life: life.checkpoint("90"),
    ],
    "a shard that went away and came back": [
        *BEGIN,
        *COMMIT,
        lambda life: life.leases.claim_elsewhere(SHARD, Position("10")),
        lambda life: life.checkpoint("15"),
        lambda life: life.leases.assign(SHARD, HERE, Position("15")),
        *BEGIN,
        *NEXT,
    ],
    "the shard's end": [
        *BEGIN,
        *COMMIT,
        lambda life: life.prepare("20", is_end=True),
        lambda life: life.checkpoint(SHARD_END),
        lambda life: life.fold(),
    ],
    "the end of a shard without more records": [
        *BEGIN,
        *COMMIT,
        lambda life: life.ledger.note_end(life.claims[SHARD]),
        lambda life: life.checkpoint(SHARD_END),
    ],
    "a row that the KCL has deleted": [*BEGIN, *COMMIT, lambda life: life.leases.rows.pop(SHARD)],
    "two shards": [
        *BEGIN,
        lambda life: life.claim(OTHER),
        lambda life: life.register(OTHER),
        *COMMIT,
        lambda life: life.prepare("7", OTHER),
        lambda life: life.checkpoint("7", OTHER),
        lambda life: life.fold(OTHER),
    ],
}


def copy(life: Life, to: Path, with_log: bool) -> Path:
    """Copy the ledger, with its write-ahead log or without."""
    to.mkdir()
    for name in ("", "-wal") if with_log else ("",):
        source = life.path.with_name(life.path.name + name)
        if source.exists():
            shutil.copy(source, to / source.name)
    return to / life.path.name


def check(path: Path, leases: FakeLeases) -> bool:
    """Return whether the ledger at this path is kept."""
    assert set_old_ledger_aside(path, leases, lambda _: False)
    return path.exists()


@pytest.mark.parametrize("with_log", [True, False], ids=["a snapshot", "a copy without its log"])
@pytest.mark.parametrize("history", HISTORIES)
def test_a_copy_is_kept_only_if_it_lacks_nothing(tmp_path: Path, history: str, with_log: bool) -> None:
    """Whenever it was taken, and whenever it is brought back; a sound ledger is never set aside."""
    life = Life(tmp_path)
    copies: list[Path] = []
    for number, step in enumerate(HISTORIES[history]):
        step(life)
        assert check(copy(life, tmp_path / f"now{number}", with_log=True), life.leases)
        copies.append(copy(life, tmp_path / f"old{number}", with_log))
    settle(life.ledger, life.leases)

    # The KCL has deleted the row of a shard that has ended, and with it what was known of its claims.
    kept = [path for path in copies if SHARD in life.leases.rows and check(path, life.leases)]

    for path in kept:
        with Ledger(path) as ledger:
            ledger.begin_generation()
            settle(ledger, life.leases)
            # A file whose whole content was in its log is a new ledger.
            assert sums(ledger) == (sums(life.ledger) if ledger.has_claimed() else [])
    life.ledger.close()


def test_an_old_copy_is_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One sentence says what happened; the next ledger has another id, and is never taken for the old."""
    life = Life(tmp_path)
    for step in BEGIN:
        step(life)
    old = copy(life, tmp_path / "old", with_log=True)
    for step in COMMIT:
        step(life)

    assert not check(old, life.leases)

    (aside,) = old.parent.glob("ledger.sqlite3.old-*Z")
    (record,) = caplog.records
    assert "WARNING" == record.levelname
    assert {"kept_as": str(aside), "shard_ids": SHARD} == fields(record)
    with Ledger(old) as fresh:
        claim = fresh.claim(SHARD, fresh.begin_generation(), Position("10"))
    assert claim.token.split(".")[0] != life.claims[SHARD].token.split(".")[0]
    assert check(old, life.leases)
    life.ledger.close()


def test_claims_of_the_version_before_and_of_other_ledgers_tell_nothing(tmp_path: Path) -> None:
    """They do not name this ledger."""
    life = Life(tmp_path)
    for step in BEGIN:
        step(life)
    for token in ("0123456789ab", "0badcafe.abcdef"):
        assert life.leases.add_claim(SHARD, life.leases.rows[SHARD], token)
        life.leases.assign(SHARD, ELSEWHERE, Position(f"1{len(token)}"))

    assert check(life.path, life.leases)
    life.ledger.close()


def failing(*errors: Exception) -> Callable[[], dict[str, object]]:
    """Return a function that raises each error once, and then returns no rows."""
    left = [*errors]

    def read() -> dict[str, object]:
        if left:
            raise left.pop(0)
        return {}

    return read


def test_nothing_is_shown_before_the_lease_table_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that does not exist yet says nothing; one that can't be read may know that the ledger is old."""
    life = Life(tmp_path)
    life.claim()
    pauses: list[float] = []

    def wait(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) == 3

    monkeypatch.setattr(life.leases, "read_claimed_rows", failing(THROTTLED, THROTTLED, NO_TABLE))
    assert set_old_ledger_aside(life.path, life.leases, wait)
    assert [1.0, 1.0] == pauses
    assert ["WARNING"] * 2 == [record.levelname for record in caplog.records]

    monkeypatch.setattr(life.leases, "read_claimed_rows", failing(THROTTLED, THROTTLED))
    assert not set_old_ledger_aside(life.path, life.leases, wait)
    life.ledger.close()


def test_a_ledger_without_claims_needs_no_lease_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first start, or a ledger of the version before, which has no memory of its claims."""
    leases = FakeLeases()
    monkeypatch.setattr(leases, "read_claimed_rows", failing(AssertionError("read")))

    assert set_old_ledger_aside(tmp_path / "ledger.sqlite3", leases, lambda _: True)
    Ledger(tmp_path / "ledger.sqlite3").close()
    assert set_old_ledger_aside(tmp_path / "ledger.sqlite3", leases, lambda _: True)
