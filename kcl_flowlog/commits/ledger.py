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
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import msgspec

from kcl_flowlog.commits import claims_made, fingerprints, holders, meta, schema, totals
from kcl_flowlog.commits.claims import LeaseRow, Verdict
from kcl_flowlog.commits.database import connect, transaction
from kcl_flowlog.commits.holders import Claim, LeftCommit, Settlement
from kcl_flowlog.commits.totals import Totals
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Snapshot
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.counting.subnet_bounds import DEFAULT_BOUNDS, SubnetBounds
from kcl_flowlog.errors import StaleProcessor

_STREAM_START = Position("TRIM_HORIZON")


class Ledger:
    """One connection to the ledger. Each process opens its own; threads must not share it."""

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        patience: float = 30.0,
        bounds: SubnetBounds = DEFAULT_BOUNDS,
    ) -> None:
        """Open the ledger at `path`, or create it.

        `clock` returns Unix seconds; `patience` is how many seconds a step waits for a lock. `bounds` says how many
        subnets have separate totals.
        """
        self._clock = clock
        self._bounds = bounds
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

    def totals(self) -> Totals:
        """Return all totals as of one moment."""
        with transaction(self._connection, "DEFERRED") as db:
            return totals.read(db)

    def shown(self) -> int:
        """Return the birth that was noted last, 0 if none was; see `kcl_flowlog.exporter.new_series`."""
        return meta.read(self._connection, meta.SHOWN) or 0

    def note_shown(self, birth: int) -> None:
        """Note that pages show the values of all series born up to and including `birth`."""
        with transaction(self._connection) as db:
            meta.write(db, meta.SHOWN, birth)

    def forget_idle_subnets(self, known: Collection[str], before: float) -> list[str]:
        """Remove and return the subnets that are not `known` and had no traffic since `before`, in Unix seconds.

        If such a subnet has traffic again, its series start again at 0.
        """
        with transaction(self._connection) as db:
            return totals.forget_idle_subnets(db, known, before)

    def dead_letters(self, most: int = 1000) -> list[tuple[int, DeadLetter]]:
        """Return the oldest dead letters with their numbers, `most` at a time."""
        rows = self._connection.execute("SELECT id, body FROM dead_letters ORDER BY id LIMIT ?", (most,))
        return [(number, msgspec.json.decode(body, type=DeadLetter)) for number, body in rows]

    def forget_dead_letters(self, upto: int) -> None:
        """Remove the dead letters numbered up to and including `upto`: they are written elsewhere now."""
        with transaction(self._connection) as db:
            db.execute("DELETE FROM dead_letters WHERE id <= ?", (upto,))

    def is_held_by(self, shard_id: str, token: str) -> bool:
        """Return whether the claim with this token is the latest on a shard, in the current generation."""
        return holders.is_held_by(self._connection, shard_id, token)

    def left_commits(self) -> list[LeftCommit]:
        """Return the prepared deltas whose holder can't finish them: only the lease table can tell their outcome."""
        return holders.left_commits(self._connection)

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
        return not claims_made.is_empty(self._connection)

    def shards_ahead(self, rows: Mapping[str, LeaseRow]) -> list[str]:
        """Return the shards whose lease rows show that this file is an older copy of the ledger."""
        return claims_made.shards_ahead(self._connection, rows)

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
            db.execute(
                "INSERT INTO prepared (shard_id, token, upto_sequence, upto_sub, delta) VALUES (?, ?, ?, ?, ?)",
                (claim.shard_id, claim.token, *upto, msgspec.json.encode(delta)),
            )
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
            db.execute(
                "UPDATE prepared SET abandoned = 1 WHERE shard_id = ? AND token = ?", (claim.shard_id, claim.token)
            )

    def note_end(self, claim: Claim) -> None:
        """Note that the shard's end is about to be checkpointed."""
        with transaction(self._connection) as db:
            holders.check_claim(db, claim)
            claims_made.note_end(db, claim.shard_id, claim.token)

    def fingerprints(self, shard_id: str) -> list[bytes]:
        """Return the fingerprints of the latest envelopes counted of a shard, oldest first."""
        return fingerprints.read(self._connection, shard_id)

    def _publish(self, db: sqlite3.Connection, shard_id: str, token: str, delta: Snapshot) -> None:
        now = self._clock()
        claims_made.note_folded(db, shard_id, token)
        totals.add_delta(db, delta, self._bounds, now)
        letters = [(msgspec.json.encode(letter),) for letter in delta.dead_letters]
        db.executemany("INSERT INTO dead_letters (body) VALUES (?)", letters)
        fingerprints.add(db, shard_id, delta.fingerprints, now)


def _take_prepared(db: sqlite3.Connection, shard_id: str, token: str) -> Snapshot | None:
    """Remove and return what a holder has prepared, None if nothing."""
    holder = (shard_id, token)
    row = db.execute("SELECT delta FROM prepared WHERE shard_id = ? AND token = ?", holder).fetchone()
    db.execute("DELETE FROM prepared WHERE shard_id = ? AND token = ?", holder)
    return msgspec.json.decode(row[0], type=Snapshot) if row is not None else None
