"""The ledgers of a simulation: the product's real ledger over SQLite in memory, with a pause before each step.

Stands in for `kcl_flowlog.commits.database.connect`; an empty file marks where a ledger is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kcl_flowlog.commits import meta, schema, soundness
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.database import transaction
from kcl_flowlog.commits.holders import LeftCommit, Settlement
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.delta import Snapshot
from tests.simulation.tasks import pause

# The steps of a ledger that change it, and what the pause before each is called.
_PAUSES = {
    "begin_generation": "before a generation",
    "claim": "before holding",
    "prepare": "before prepare",
    "fold": "before fold",
    "note_refusal": "before noting a refusal",
    "abandon": "before abandon",
    "settle": "before settle",
}


class _Connection(sqlite3.Connection):
    """A connection that all ledgers of a directory share; closing a ledger leaves it open."""

    def close(self) -> None:
        pass


class Databases:
    """The ledgers' files, in memory; each has a number, and so has each copy."""

    def __init__(self) -> None:
        self._template = sqlite3.connect(":memory:", isolation_level=None)
        schema.migrate(self._template)
        self._files: dict[Path, _Connection] = {}
        self._numbers: dict[Path, int] = {}
        self._made = 0
        # By the path of a ledger that was set aside, the path where it is now.
        self.aside: dict[Path, Path] = {}

    def connect(self, path: Path, patience: float) -> sqlite3.Connection:
        """Open the file at `path`, or create it."""
        if path not in self._files:
            self._add(path, self._template)
            with transaction(self._files[path]) as db:
                meta.write(db, meta.LEDGER, self._made)
            path.touch()
        return self._files[path]

    def number(self, path: Path) -> int:
        """Return the number of the file at `path`."""
        return self._numbers[path]

    def copy(self, source: Path, target: Path) -> None:
        """Copy a file, as it is between two transactions."""
        self.remove(target)
        if source in self._files:
            self._add(target, self._files[source])

    def set_aside(self, path: Path, suffix: str) -> Path:
        """Rename a file: `kcl_flowlog.commits.soundness.set_aside`."""
        aside = soundness.set_aside(path, suffix)
        self.remove(aside)
        self._files[aside], self._numbers[aside] = self._files.pop(path), self._numbers.pop(path)
        self.aside[path] = aside
        return aside

    def remove(self, path: Path) -> None:
        """Remove a file."""
        connection = self._files.pop(path, None)
        if connection is not None:
            sqlite3.Connection.close(connection)

    def clear(self) -> None:
        """Remove all files."""
        for path in list(self._files):
            self.remove(path)
        self.aside.clear()

    def close(self) -> None:
        """Remove all files; there can be no further one."""
        self.clear()
        self._template.close()

    def _add(self, path: Path, source: sqlite3.Connection) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None, factory=_Connection)
        source.backup(connection)
        self._made += 1
        self._files[path], self._numbers[path] = connection, self._made


class Undecided(NamedTuple):
    """A commit that was settled as undecided, with its bytes."""

    left: LeftCommit
    bytes: int


class SimulatedLedger(Ledger):
    """The real ledger, with a pause before each step; notes the commits that are settled as undecided.

    `clock` is the wall clock of its instance, which the product does not use here.
    """

    def __init__(self, path: Path, clock: Callable[[], float], note_undecided: Callable[[Undecided], None]) -> None:
        super().__init__(path)
        self.clock = clock
        self._note_undecided = note_undecided

    def settle(self, left: LeftCommit, verdict: Verdict) -> Settlement | None:
        settlement = super().settle(left, verdict)
        if settlement is not None and verdict is Verdict.UNDECIDED:
            self._note_undecided(Undecided(left, settlement.bytes))
        return settlement

    def bytes_counted(self) -> int:
        """Return the sum of bytes of all published totals."""
        return sum(total.bytes for total in self.totals().traffic)

    def bytes_prepared(self) -> list[int]:
        """Return the bytes of each commit that is prepared and not settled."""
        bodies = self._connection.execute("SELECT body FROM deltas")
        deltas = [msgspec.json.decode(body, type=Snapshot) for (body,) in bodies]
        return [sum(numbers[2] for _, numbers in delta.traffic) for delta in deltas]


def _with_pause(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def paused(ledger: Ledger, *arguments: Any, **more: Any) -> Any:
        pause(name)
        return step(ledger, *arguments, **more)

    return paused


for _step, _pause in _PAUSES.items():
    setattr(SimulatedLedger, _step, _with_pause(_pause, getattr(SimulatedLedger, _step)))
