"""Mends of the product, each with a way to take it back, to see that the simulation finds the hole again.

`REVERTS` has, by the name of a mend, patches that are applied around a search. Each makes the product behave as it did
before, no more.
"""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from kcl_flowlog.commits import claims, fingerprints
from kcl_flowlog.commits.claims import Care, LeaseRow, Permit, Verdict, claims_of, digest, with_claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.messages import Hello
from kcl_flowlog.counting.positions import SHARD_END, Position
from kcl_flowlog.launcher import ledger_age, registrar
from kcl_flowlog.launcher.leases import LeaseTable
from kcl_flowlog.launcher.registrar import Registrar
from kcl_flowlog.launcher.start_record import StartRecord
from tests.simulation.databases import SimulatedLedger
from tests.simulation.instance import Launcher

_DAY = 86_400.0
_try_to_register = Registrar._try_to_register
_publish = Ledger._publish
_beat = StartRecord.beat


def _own_position(launcher: Launcher, agreed: str) -> float:
    """Each state directory notes its own first start."""
    path = launcher._state.path / "first-start"
    if not path.exists():
        path.write_text(str(int(launcher._clock())))
    return float(path.read_text())


class _RememberedLeases:
    """The lease table; remembers the row that was read, with the claim that was added."""

    def __init__(self, leases: registrar.Leases) -> None:
        self._leases = leases
        self.row: LeaseRow | None = None

    def read_row(self, shard_id: str) -> LeaseRow | None:
        self.row = self._leases.read_row(shard_id)
        return self.row

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "", care: Care = Care.NORMAL) -> bool:
        self.row = row._replace(claims=with_claim(row, token, suspect, care))
        return self._leases.add_claim(shard_id, row, token, suspect, care)


def _list_left_commits_late(self: Registrar, ledger: Ledger, hello: Hello, fence: Any) -> Permit | None:
    """Settle also the commits that were left after the row was read."""
    remembering = copy.copy(self)
    remembering._leases = leases = _RememberedLeases(self._leases)
    permit = _try_to_register(remembering, ledger, hello, fence)
    for left in ledger.left_commits() if permit is not None else []:
        if left.shard_id == hello.shard_id:
            registrar._settle(ledger, left, leases.row)
    return permit


def _verdict_without_end(row: LeaseRow | None, token: str, upto: Position) -> Verdict | None:
    """Take a claim that begins at the shard's end for one that begins elsewhere."""
    held = claims_of(row) if row is not None else []
    tokens = [claim.token for claim in held]
    later = held[tokens.index(token) + 1 :] if token in tokens else []
    is_at_end = bool(later) and later[0].begins_at == digest(Position(SHARD_END))
    return Verdict.DROP if is_at_end else claims.verdict(row, token, upto)


def _publish_and_drop_by_clock(self: Ledger, db: sqlite3.Connection, *arguments: Any) -> None:
    """Drop the fingerprints that are older than a day by the wall clock, whenever a commit adds to the totals."""
    _publish(self, db, *arguments)
    now = self.clock() if isinstance(self, SimulatedLedger) else 0.0
    db.execute("CREATE TABLE IF NOT EXISTS noted (written INTEGER PRIMARY KEY, at REAL)")
    db.execute("INSERT OR IGNORE INTO noted SELECT written, ? FROM fingerprints", (now,))
    for (written,) in db.execute("SELECT written FROM noted WHERE at < ?", (now - _DAY,)).fetchall():
        fingerprints.TABLE.delete(db, "WHERE written = ?", written)


def _beat_on(self: StartRecord) -> bool:
    _beat(self)
    return True


Patch = Callable[[], Any]

_NOT_CURRENT = (
    lambda: mock.patch.object(StartRecord, "is_current", return_value=True),
    lambda: mock.patch.object(StartRecord, "beat", _beat_on),
)
_UNFENCED = (*_NOT_CURRENT, lambda: mock.patch.object(LeaseTable, "fence", return_value=0))

REVERTS: dict[str, tuple[Patch, ...]] = {
    "application-record": (lambda: mock.patch.object(Launcher, "_begins_at", _own_position),),
    "start-record": (*_UNFENCED, lambda: mock.patch.object(StartRecord, "begin", return_value=True)),
    "start-fence": _UNFENCED,
    "claim-fence": (lambda: mock.patch.object(registrar._Fence, "is_closed", return_value=True),),
    "ledger-age": (lambda: mock.patch.object(ledger_age, "set_old_ledger_aside", return_value=True),),
    "first-page": (lambda: mock.patch.object(Launcher, "_settle_what_was_left"),),
    "fingerprints": (lambda: mock.patch.object(Ledger, "_publish", _publish_and_drop_by_clock),),
    "left-commits": (lambda: mock.patch.object(Registrar, "_try_to_register", _list_left_commits_late),),
    "shard-end": (lambda: mock.patch.object(registrar, "verdict", _verdict_without_end),),
}


@contextmanager
def reverted(name: str) -> Iterator[None]:
    """Take a mend back; the empty name takes none back."""
    with ExitStack() as stack:
        for patch in REVERTS[name] if name else ():
            stack.enter_context(patch())
        yield
