"""What has to be done before a daemon starts, and before its processors are killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from sqlite3 import OperationalError
from typing import Any, cast

import pytest

from kcl_flowlog.commits.damage import DamagedLedger, DamageNote
from kcl_flowlog.errors import CannotStart
from kcl_flowlog.launcher.daemon import Daemon
from kcl_flowlog.launcher.daemon_starter import DaemonStarter
from kcl_flowlog.launcher.inbox import HeldShard
from tests.support.launcher_fakes import CallLog


class Start:
    """A starter among parts that only note their calls."""

    def __init__(self, attempts: Path, **replaced: Any) -> None:
        self.calls: list[str] = []
        self.damage = DamageNote()
        self.before_kill: Callable[[], None] = lambda: pytest.fail("not started")
        held = [HeldShard("shardId-0", 10, 0.0, 0.0)]
        parts: dict[str, Any] = {
            "ledger": CallLog("ledger", self.calls, 7),
            "damage": self.damage,
            "inbox": CallLog("inbox", self.calls, shards=lambda: held),
            "leader_lock": CallLog("leader_lock", self.calls),
            "files": CallLog("files", self.calls),
            "spawn": self._spawn,
            **replaced,
        }
        self.starter = DaemonStarter(attempts=attempts, **parts)

    def _spawn(self, before_kill: Callable[[], None]) -> Daemon:
        self.calls.append("spawn")
        self.before_kill = before_kill
        return cast(Daemon, "the daemon")


def test_a_daemon_starts_after_the_last_has_left_nothing(tmp_path: Path) -> None:
    """Its processors are forgotten, the leader's lock is free, and only the new generation can write."""
    start = Start(tmp_path)

    started = start.starter.start()

    assert "the daemon" == cast(str, started)
    assert [
        "inbox.forget",
        "leader_lock.release",
        "ledger.verify",
        "ledger.begin_generation",
        "files.write",
        "spawn",
    ] == start.calls


def test_the_files_are_written_for_the_new_generation(tmp_path: Path) -> None:
    """Otherwise the processors would be refused by the ledger."""
    generations: list[int] = []
    start = Start(tmp_path, files=type("Files", (), {"write": lambda _, generation: generations.append(generation)})())

    start.starter.start()

    assert [7] == generations


@pytest.mark.parametrize("error", [OSError("No space left on device"), OperationalError("database or disk is full")])
def test_a_start_that_the_disk_refuses_can_be_tried_again(tmp_path: Path, error: Exception) -> None:
    """The supervisor gets the reason, and nothing is spawned."""

    def refuse(_: Any, generation: int) -> None:
        raise error

    start = Start(tmp_path, files=type("Files", (), {"write": refuse})())

    with pytest.raises(CannotStart, match=str(error)):
        start.starter.start()

    assert "spawn" not in start.calls
    assert start.damage.error is None


def test_damage_that_killed_the_processors_is_found_before_the_next_start(tmp_path: Path) -> None:
    """Nothing else may read the row that they died of, and then they would die for ever."""
    damage = DamagedLedger("a row of the table traffic does not match its checksum")

    def fail(_: Any) -> None:
        raise damage

    start = Start(tmp_path, ledger=type("Damaged", (), {"verify": fail})())

    with pytest.raises(CannotStart):
        start.starter.start()

    assert "spawn" not in start.calls
    assert damage is start.damage.error


def test_records_in_hand_of_processors_about_to_be_killed_are_forgotten(tmp_path: Path) -> None:
    """Such a record did not cause the death; the record of a processor that died before stays under suspicion."""
    (tmp_path / "shardId-0").write_text("in hand")
    (tmp_path / "shardId-1").write_text("suspect")
    start = Start(tmp_path)
    start.starter.start()

    start.before_kill()
    start.before_kill()

    assert ["shardId-1"] == [path.name for path in tmp_path.iterdir()]
