"""The ledger of one instance: the published totals, and at most one prepared commit per holder of a shard.

A commit has three steps: `prepare` writes the delta up to a position, the KCL checkpoints that position, `fold` adds
the delta to the totals. Only totals are ever shown. If a process stops between prepare and fold, the commit is among
`left_commits` until the lease table has told whether the checkpoint happened (`commits.claims`); `settle` finishes it.

Each step is one transaction, on disk when it returns. A step with an older claim, or of an older generation, raises
`StaleProcessor` and changes nothing. A damaged file, a full disk and the like raise `damage.LedgerError`, which must
end the process. Knows no KCL, no AWS and no metric name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from kcl_flowlog.commits import claims_made, fingerprints, holders, meta, own_series, schema, totals, who_tables
from kcl_flowlog.commits.checked_table import CheckedTable, decode
from kcl_flowlog.commits.claims import LeaseRow, Verdict
from kcl_flowlog.commits.damage import DamagedLedger
from kcl_flowlog.commits.database import connect, transaction
from kcl_flowlog.commits.holders import Claim, LeftCommit, Settlement
from kcl_flowlog.commits.totals import SeenTotals, Totals
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnet_bounds import DEFAULT_BOUNDS, SubnetBounds
from kcl_flowlog.errors import StaleProcessor

_DELTAS = CheckedTable("deltas", ("shard_id", "token"), ("body",))
_DEAD_LETTERS = CheckedTable("dead_letters", ("id",), ("body",))
_STREAM_START = Position("TRIM_HORIZON")


class Ledger:
    """One connection to the ledger. Each process opens its own; threads must not share it."""

    def __init__(
        self, path: Path, patience: float = 30.0, bounds: SubnetBounds = DEFAULT_BOUNDS, keeps_who: bool = True
    ) -> None:
        """Open the ledger at `path`, or create it.

        `patience` is how many seconds a step waits for a lock. `bounds` says how many subnets have separate totals.
        Unless it `keeps_who`, what deltas tell of who sent what is dropped.
        """
        self._bounds = bounds
        self._keeps_who = keeps_who
        self._patience = patience
        self._connection = connect(path, patience)
        try:
            schema.migrate(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # For the launcher

    def begin_generation(self) -> int:
        """Start a new generation of processors and return its number; older processors can't write any more."""
        with transaction(self._connection) as db:
            return meta.advance(db, meta.GENERATION)

    def totals(self, seen: SeenTotals | None = None) -> Totals:
        """Return all totals as of one moment; those that are as at the last call with `seen` are the same objects."""
        seen = seen if seen is not None else SeenTotals()
        with seen.lock, transaction(self._connection, "DEFERRED") as db:
            return totals.read(db, seen)

    def shown(self) -> int:
        """Return the birth that was noted last, 0 if none was; see `kcl_flowlog.exporter.new_series`."""
        return meta.read(self._connection, meta.SHOWN) or 0

    def note_shown(self, birth: int) -> None:
        """Note that pages show the values of all series born up to and including `birth`."""
        with transaction(self._connection) as db:
            meta.write(db, meta.SHOWN, birth)

    def pass_time(self, seconds: int) -> None:
        """Note that the instance has run for this many more seconds."""
        with transaction(self._connection) as db:
            meta.advance(db, meta.RUNNING, seconds)

    def forget_idle_subnets(self, known: Collection[str], idle_for: float) -> list[str]:
        """Remove and return the subnets that are not `known`, if they had no traffic in the last `idle_for` seconds.

        Only the seconds of `pass_time` count. If such a subnet has traffic again, its series start again at 0.
        """
        with transaction(self._connection) as db:
            return totals.forget_idle_subnets(db, known, idle_for)

    def verify(self) -> None:
        """Read everything. Raises `LedgerError` if anything is not as it was written."""
        with transaction(self._connection, "DEFERRED") as db:
            totals.read(db, SeenTotals())
            holders.left_commits(db)
            meta.TABLE.all_rows(db)
            own_series.SUBNETS.all_rows(db)
            claims_made.TABLE.all_rows(db)
            fingerprints.TABLE.all_rows(db)
            for *_, delta in _DELTAS.all_rows(db):
                decode(delta, Snapshot)
            for _, letter in _DEAD_LETTERS.all_rows(db):
                decode(letter, DeadLetter)
            for _ in who_tables.verify(db):
                pass

    def dead_letters(self, most: int = 1000) -> list[tuple[int, DeadLetter]]:
        """Return the oldest dead letters with their numbers, `most` at a time."""
        with transaction(self._connection, "DEFERRED") as db:
            _DEAD_LETTERS.check_no_row_is_missing(db)
            rows = _DEAD_LETTERS.rows(db, "ORDER BY id LIMIT ?", most)
            return [(number, decode(body, DeadLetter)) for number, body in rows]

    def forget_dead_letters(self, upto: int) -> None:
        """Remove the dead letters numbered up to and including `upto`: they are written elsewhere now."""
        with transaction(self._connection) as db:
            _DEAD_LETTERS.delete(db, "WHERE id <= ?", upto)

    def begin(self, mode: str = "IMMEDIATE") -> AbstractContextManager[sqlite3.Connection]:
        """Return a transaction, for functions that run inside one."""
        return transaction(self._connection, mode)

    def empty_log(self) -> bool:
        """Take everything over from the write-ahead log, which holds what was removed, and shorten it to nothing.

        Returns False if somebody reads or writes the ledger just now. It does not wait: writers would wait with it.
        """
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            (is_busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {round(self._patience * 1000)}")
        return not is_busy

    def is_held_by(self, shard_id: str, token: str) -> bool:
        """Return whether the claim with this token is the latest on a shard, in the current generation."""
        with transaction(self._connection, "DEFERRED") as db:
            return holders.is_held_by(db, shard_id, token)

    def left_commits(self) -> list[LeftCommit]:
        """Return the prepared deltas whose holder can't finish them: only the lease table can tell their outcome."""
        with transaction(self._connection, "DEFERRED") as db:
            return holders.left_commits(db)

    def settle(self, left: LeftCommit, verdict: Verdict) -> Settlement | None:
        """Finish a commit of `left_commits` by its verdict; return its size, None if it was settled already."""
        with transaction(self._connection) as db:
            delta = _take_prepared(db, left.shard_id, left.token)
            if delta is None:
                return None
            if verdict is not Verdict.DROP:
                self._publish(db, left.shard_id, left.token, delta)
            if verdict is Verdict.UNDECIDED:
                totals.add_count(db, counts.UNDECIDED_COMMITS)
            return Settlement(*(sum(numbers[place] for _, numbers in delta.traffic) for place in range(3)))

    def has_claimed(self) -> bool:
        """Return whether a processor has ever claimed a shard in this ledger."""
        with transaction(self._connection, "DEFERRED") as db:
            return not claims_made.is_empty(db)

    def shards_ahead(self, rows: Mapping[str, LeaseRow]) -> list[str]:
        """Return the shards whose lease rows show that this file is an older copy of the ledger."""
        with transaction(self._connection, "DEFERRED") as db:
            return claims_made.shards_ahead(db, rows)

    # For processors

    def claim(self, shard_id: str, generation: int, begins_at: Position = _STREAM_START) -> Claim:
        """Make the caller the holder of a shard, from this checkpoint on.

        Raises `StaleProcessor` if the generation is over.

        What an earlier holder has prepared stays: only the lease table can tell its outcome.
        """
        with transaction(self._connection) as db:
            return holders.claim_shard(db, shard_id, generation, begins_at)

    def prepare(self, claim: Claim, upto: Position, delta: Snapshot, *, is_end: bool = False) -> None:
        """Write down what was counted since the last checkpoint up to `upto`: step 1 of a commit.

        `is_end` tells that the shard has ended, so that the KCL writes its end in place of `upto`.
        """
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            holder = (claim.shard_id, claim.token)
            if holders.PREPARED.get(db, *holder) is not None:
                raise StaleProcessor(f"The ledger already holds a prepared commit of {claim.shard_id}.")
            holders.PREPARED.put(db, (*holder, *upto, 0))
            _DELTAS.put(db, (*holder, msgspec.json.encode(delta)))
            claims_made.note_prepared(db, claim.shard_id, claim.token, upto)
            if is_end:
                claims_made.note_end(db, claim.shard_id, claim.token)

    def fold(self, claim: Claim) -> None:
        """Add the prepared delta to the totals: step 3 of a commit, after its checkpoint is certain."""
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            delta = _take_prepared(db, claim.shard_id, claim.token)
            if delta is None:
                raise StaleProcessor(f"The ledger holds no prepared commit of {claim.shard_id}.")
            self._publish(db, claim.shard_id, claim.token, delta)
            totals.add_count(db, counts.CHECKPOINTS, "ok")

    def note_refusal(self, claim: Claim, outcome: str) -> None:
        """Count a checkpoint that was refused; what is prepared stays."""
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            totals.add_count(db, counts.CHECKPOINTS, outcome)

    def abandon(self, claim: Claim) -> None:
        """Leave what this holder has prepared, if anything, to be settled by the lease table."""
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            prepared = holders.PREPARED.get(db, claim.shard_id, claim.token)
            if prepared is not None:
                holders.PREPARED.put(db, (*prepared[:-1], 1))

    def note_end(self, claim: Claim) -> None:
        """Note that the shard's end is about to be checkpointed."""
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            claims_made.note_end(db, claim.shard_id, claim.token)

    def fingerprints(self, shard_id: str) -> list[bytes]:
        """Return the fingerprints of the latest envelopes counted of a shard, oldest first."""
        with transaction(self._connection, "DEFERRED") as db:
            return fingerprints.read(db, shard_id)

    def _publish(self, db: sqlite3.Connection, shard_id: str, token: str, delta: Snapshot) -> None:
        claims_made.note_folded(db, shard_id, token)
        commit = totals.add_delta(db, delta, self._bounds)
        (last,) = db.execute("SELECT coalesce(max(id), 0) FROM dead_letters").fetchone()
        letters = map(msgspec.json.encode, delta.dead_letters)
        _DEAD_LETTERS.put(db, *enumerate(letters, last + 1))
        fingerprints.add(db, shard_id, delta.fingerprints, commit)
        if self._keeps_who:
            who_tables.add(db, delta.who)


def _take_prepared(db: sqlite3.Connection, shard_id: str, token: str) -> Snapshot | None:
    """Remove and return what a holder has prepared, None if nothing."""
    holder = (shard_id, token)
    if holders.PREPARED.get(db, *holder) is None:
        return None
    delta = _DELTAS.get(db, *holder)
    if delta is None:
        raise DamagedLedger(f"the prepared delta of {shard_id} is missing")
    for table in (holders.PREPARED, _DELTAS):
        table.delete(db, "WHERE shard_id = ? AND token = ?", *holder)
    return decode(delta[-1], Snapshot)
