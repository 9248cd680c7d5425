"""The books of one instance: published totals, and at most one prepared commit per holder of a shard.

A commit has three steps:

1. `prepare`: one transaction writes the delta counted since the last
   checkpoint, up to position `upto`.
2. The KCL checkpoints `upto`; that is not done here.
3. `fold`: one transaction adds the delta to the totals and removes it.

Only totals are ever shown. A process may stop at any point:

- before 1: nothing happened; the KCL redelivers from the last checkpoint;
- between 1 and 3: the commit is among `left_commits`, until the lease table
  has told whether step 2 happened (`kcl_flowlog.commits.claims`), and `settle` is told;
- after 3: nothing to redo.

Each step is one transaction, on disk when it returns (WAL, synchronous FULL).
Whoever claims a shard gets a token; any step with an older token, or of a
generation that is over, raises `StaleProcessor` and changes nothing. A broken
file, a full disk and the like raise `LedgerError`: broken machinery, which must
end the process.

Knows no KCL, no AWS and no metric name. The home of sqlite3.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import DeadLetter, Histogram, RejectedPort, Snapshot, Traffic
from kcl_flowlog.counting.duplicates import FINGERPRINT_BYTES, WINDOW
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import ConfigError, StaleProcessor

# SQLite adds 64-bit integers; a total stops there instead of turning into a rounded number.
_MOST = 2**63 - 1

_TOKEN_BYTES = 6

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE holders (shard_id TEXT PRIMARY KEY, token TEXT NOT NULL, generation INTEGER NOT NULL);
CREATE VIEW holders_now AS
SELECT shard_id, token FROM holders WHERE generation = (SELECT value FROM meta WHERE name = 'generation');
CREATE TABLE prepared (
    shard_id TEXT NOT NULL, token TEXT NOT NULL,
    upto_sequence TEXT NOT NULL, upto_sub INTEGER NOT NULL,
    abandoned INTEGER NOT NULL DEFAULT 0,
    delta BLOB NOT NULL,
    PRIMARY KEY (shard_id, token)
);
CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    birth INTEGER NOT NULL, counted_at REAL NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer)
) WITHOUT ROWID;
CREATE TABLE rejected_ports (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, port TEXT NOT NULL,
    flows INTEGER NOT NULL,
    birth INTEGER NOT NULL,
    PRIMARY KEY (subnet_id, direction, protocol, port)
) WITHOUT ROWID;
CREATE TABLE counts (
    count TEXT NOT NULL, label TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (count, label)
) WITHOUT ROWID;
CREATE TABLE histograms (histogram TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE fingerprints (
    id INTEGER PRIMARY KEY AUTOINCREMENT, shard_id TEXT NOT NULL, body BLOB NOT NULL, number INTEGER NOT NULL,
    folded_at REAL NOT NULL
);
CREATE INDEX fingerprints_of_shard ON fingerprints (shard_id, id);
CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
"""

_ADD_TRAFFIC = """
INSERT INTO traffic VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET
    flows = min(flows + excluded.flows, 9223372036854775807),
    packets = min(packets + excluded.packets, 9223372036854775807),
    bytes = min(bytes + excluded.bytes, 9223372036854775807),
    counted_at = excluded.counted_at
"""


# Those of a commit go together, once the commits after it fill the window.
_FORGET_FINGERPRINTS = """
DELETE FROM fingerprints WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(number) OVER (ORDER BY id DESC) - number AS newer FROM fingerprints WHERE shard_id = ?
    ) WHERE newer >= ?
)
"""
FINGERPRINT_TTL = 86_400.0
"""How many seconds a fingerprint is kept at most: for so long CloudWatch Logs tries to deliver."""


LedgerError = sqlite3.Error
"""What any step raises when the file is broken, the disk full, or the like."""


def is_damage(error: Exception) -> bool:
    """Say whether an error tells that the file is damaged, and not just that it can't be used now."""
    # Of the two, sqlite3 raises the general one only for what the file holds.
    return type(error) is sqlite3.DatabaseError


def set_aside_if_broken(path: Path, suffix: str) -> Path | None:
    """Rename a ledger that is damaged or none at all; return its new path, None where nothing is wrong.

    A ledger that can't be read for another reason raises `sqlite3.OperationalError`.
    """
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(path, timeout=30.0)
        try:
            if connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
                return None
        finally:
            connection.close()
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass  # damaged so that not even the check can run
    aside = path.with_name(f"{path.name}.{suffix}")
    path.replace(aside)
    for companion in ("-wal", "-shm"):
        # They belong to the broken file; the new one must not be taken for theirs.
        beside = path.with_name(path.name + companion)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + companion))
    return aside


class TrafficTotal(NamedTuple):
    """One traffic series with its totals; `birth` is the number of the commit that it came with."""

    series: Traffic
    flows: int
    packets: int
    bytes: int
    birth: int


class RejectedPortTotal(NamedTuple):
    """One series of rejected flows by port; `birth` is the number of the commit that it came with."""

    series: RejectedPort
    flows: int
    birth: int


class Totals(NamedTuple):
    """All published totals, read at one moment."""

    traffic: list[TrafficTotal]
    rejected_ports: list[RejectedPortTotal]
    counts: dict[tuple[str, str], int]
    histograms: dict[str, Histogram]

    def newest_birth(self) -> int:
        """Return the latest birth of all series, 0 where there is none."""
        births = [total.birth for total in self.traffic]
        births += [total.birth for total in self.rejected_ports]
        return max(births, default=0)


class Settlement(NamedTuple):
    """How much a commit was that has been settled."""

    flows: int
    packets: int
    bytes: int


class Claim(NamedTuple):
    """The right to commit for a shard."""

    shard_id: str
    token: str
    generation: int


class LeftCommit(NamedTuple):
    """A prepared delta that the lease table has to settle: whose it is, and up to where."""

    shard_id: str
    token: str
    upto: Position


class Ledger:
    """One connection to the books. Each process opens its own; a thread may not share it."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time, patience: float = 30.0) -> None:
        """`patience` is how many seconds a step waits for its turn to write."""
        self._clock = clock
        self._connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
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

    # What the launcher does

    def begin_generation(self) -> int:
        """Start a new generation of processors: those of older ones can write nothing any more."""
        with self._transaction() as db:
            return self._next(db, "generation")

    def totals(self) -> Totals:
        """Return all totals as of one moment."""
        with self._transaction("DEFERRED") as db:
            return Totals(
                [TrafficTotal(Traffic(*row[:5]), *row[5:9]) for row in db.execute("SELECT * FROM traffic")],
                [
                    RejectedPortTotal(RejectedPort(*row[:4]), *row[4:])
                    for row in db.execute("SELECT * FROM rejected_ports")
                ],
                {(count, label): number for count, label, number in db.execute("SELECT * FROM counts")},
                {
                    histogram: msgspec.json.decode(body, type=Histogram)
                    for histogram, body in db.execute("SELECT * FROM histograms")
                },
            )

    def shown(self) -> int:
        """Return the birth that was noted last, 0 where none was; see `kcl_flowlog.exporter.new_series`."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = 'shown'").fetchone()
        return int(row[0]) if row is not None else 0

    def note_shown(self, birth: int) -> None:
        """Note that pages show the values of all series up to and with a birth."""
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES ('shown', ?)", (birth,))

    def forget_idle_subnets(self, known: Collection[str], before: float) -> list[str]:
        """Remove and return the subnets that are not `known` and had no traffic since `before`, in Unix seconds.

        The series of one that returns start again at 0.
        """
        with self._transaction() as db:
            idle = [
                subnet_id
                for (subnet_id,) in db.execute(
                    "SELECT subnet_id FROM traffic GROUP BY subnet_id HAVING max(counted_at) < ?", (before,)
                )
                if subnet_id not in known
            ]
            for subnet_id in idle:
                db.execute("DELETE FROM traffic WHERE subnet_id = ?", (subnet_id,))
                db.execute("DELETE FROM rejected_ports WHERE subnet_id = ?", (subnet_id,))
            return idle

    def dead_letters(self, most: int = 1000) -> list[tuple[int, DeadLetter]]:
        """Return the oldest dead letters with their numbers."""
        rows = self._connection.execute("SELECT id, body FROM dead_letters ORDER BY id LIMIT ?", (most,))
        return [(number, msgspec.json.decode(body, type=DeadLetter)) for number, body in rows]

    def forget_dead_letters(self, upto: int) -> None:
        """Remove the dead letters numbered up to and with `upto`: they are written elsewhere now."""
        with self._transaction() as db:
            db.execute("DELETE FROM dead_letters WHERE id <= ?", (upto,))

    def is_held_by(self, shard_id: str, token: str) -> bool:
        """Say whether the claim with this token is the latest on a shard, and its generation not over."""
        found = self._connection.execute(
            "SELECT 1 FROM holders_now WHERE shard_id = ? AND token = ?", (shard_id, token)
        ).fetchone()
        return found is not None

    def left_commits(self) -> list[LeftCommit]:
        """Return the prepared deltas whose holder won't come back to them: only the lease table can settle these."""
        rows = self._connection.execute(
            "SELECT shard_id, token, upto_sequence, upto_sub FROM prepared"
            " WHERE abandoned OR (shard_id, token) NOT IN (SELECT shard_id, token FROM holders_now)"
            " ORDER BY shard_id, token"
        )
        return [LeftCommit(shard_id, token, Position(*upto)) for shard_id, token, *upto in rows]

    def settle(self, left: LeftCommit, verdict: Verdict) -> Settlement | None:
        """Do with a commit of `left_commits` as the lease table says; None if that has been done by now."""
        with self._transaction() as db:
            delta = self._take(db, left.shard_id, left.token)
            if delta is None:
                return None
            if verdict is not Verdict.DROP:
                self._add(db, left.shard_id, delta)
            if verdict is Verdict.UNDECIDED:
                self._count(db, counts.UNDECIDED_COMMITS, "", 1)
            return Settlement(*(sum(numbers[place] for _, numbers in delta.traffic) for place in range(3)))

    # What a processor does

    def claim(self, shard_id: str, generation: int) -> Claim:
        """Take the shard. Raises `StaleProcessor` for a generation that is over.

        What an earlier holder left prepared stays so: only the lease table can tell what became of it.
        """
        token = secrets.token_hex(_TOKEN_BYTES)
        with self._transaction() as db:
            self._check_generation(db, generation)
            db.execute("INSERT OR REPLACE INTO holders VALUES (?, ?, ?)", (shard_id, token, generation))
            return Claim(shard_id, token, generation)

    def prepare(self, claim: Claim, upto: Position, delta: Snapshot) -> None:
        """Write down what was counted since the last checkpoint up to `upto`: step 1 of a commit."""
        with self._transaction() as db:
            self._check(db, claim)
            db.execute(
                "INSERT INTO prepared (shard_id, token, upto_sequence, upto_sub, delta) VALUES (?, ?, ?, ?, ?)",
                (claim.shard_id, claim.token, *upto, msgspec.json.encode(delta)),
            )

    def fold(self, claim: Claim) -> None:
        """Add the prepared delta to the totals: step 3 of a commit, after its checkpoint is certain."""
        with self._transaction() as db:
            self._check(db, claim)
            delta = self._take(db, claim.shard_id, claim.token)
            if delta is None:
                raise StaleProcessor(f"The ledger holds nothing prepared for {claim.shard_id}.")
            self._add(db, claim.shard_id, delta)
            self._count(db, counts.CHECKPOINTS, "ok", 1)

    def note_refusal(self, claim: Claim, outcome: str) -> None:
        """Count a checkpoint that was refused; what is prepared stays so."""
        with self._transaction() as db:
            self._check(db, claim)
            self._count(db, counts.CHECKPOINTS, outcome, 1)

    def abandon(self, claim: Claim) -> None:
        """Note that what this holder has prepared, if anything, it won't come back to."""
        with self._transaction() as db:
            self._check(db, claim)
            db.execute(
                "UPDATE prepared SET abandoned = 1 WHERE shard_id = ? AND token = ?", (claim.shard_id, claim.token)
            )

    def fingerprints(self, shard_id: str) -> list[bytes]:
        """Return the fingerprints of the latest envelopes counted of a shard, the oldest first."""
        rows = self._connection.execute("SELECT body FROM fingerprints WHERE shard_id = ? ORDER BY id", (shard_id,))
        return [
            body[start : start + FINGERPRINT_BYTES]
            for (body,) in rows
            for start in range(0, len(body), FINGERPRINT_BYTES)
        ]

    # Inside a transaction

    @staticmethod
    def _take(db: sqlite3.Connection, shard_id: str, token: str) -> Snapshot | None:
        """Remove and return what a holder has prepared, if anything."""
        holder = (shard_id, token)
        row = db.execute("SELECT delta FROM prepared WHERE shard_id = ? AND token = ?", holder).fetchone()
        db.execute("DELETE FROM prepared WHERE shard_id = ? AND token = ?", holder)
        return msgspec.json.decode(row[0], type=Snapshot) if row is not None else None

    def _add(self, db: sqlite3.Connection, shard_id: str, delta: Snapshot) -> None:
        """Add a delta to the totals."""
        now, birth = self._clock(), self._next(db, "commits")
        db.executemany(
            _ADD_TRAFFIC,
            [(*series, *(min(number, _MOST) for number in numbers), birth, now) for series, numbers in delta.traffic],
        )
        db.executemany(
            "INSERT INTO rejected_ports VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET flows = flows + excluded.flows",
            [(*series, flows, birth) for series, flows in delta.rejected_ports],
        )
        for count, label, number in delta.counts:
            self._count(db, count, label, number)
        for histogram, added in delta.histograms.items():
            self._add_histogram(db, histogram, added)
        db.executemany(
            "INSERT INTO dead_letters (body) VALUES (?)",
            [(msgspec.json.encode(letter),) for letter in delta.dead_letters],
        )
        self._remember(db, shard_id, delta.fingerprints, now)

    @staticmethod
    def _remember(db: sqlite3.Connection, shard_id: str, fingerprints: list[bytes], now: float) -> None:
        """Keep fingerprints, and forget those that left the window, or are of a shard of long ago."""
        if fingerprints:
            db.execute(
                "INSERT INTO fingerprints (shard_id, body, number, folded_at) VALUES (?, ?, ?, ?)",
                (shard_id, b"".join(fingerprints), len(fingerprints), now),
            )
        db.execute("DELETE FROM fingerprints WHERE folded_at < ?", (now - FINGERPRINT_TTL,))
        db.execute(_FORGET_FINGERPRINTS, (shard_id, WINDOW))

    @staticmethod
    def _count(db: sqlite3.Connection, count: str, label: str, number: int) -> None:
        db.execute(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
            (count, label, number),
        )

    @staticmethod
    def _add_histogram(db: sqlite3.Connection, histogram: str, added: Histogram) -> None:
        row = db.execute("SELECT body FROM histograms WHERE histogram = ?", (histogram,)).fetchone()
        if row is not None:
            before = msgspec.json.decode(row[0], type=Histogram)
            # A version with other buckets starts the histogram again.
            if len(before.buckets) == len(added.buckets):
                buckets = [a + b for a, b in zip(before.buckets, added.buckets, strict=True)]
                added = Histogram(buckets, before.sum + added.sum)
        db.execute("INSERT OR REPLACE INTO histograms VALUES (?, ?)", (histogram, msgspec.json.encode(added)))

    @staticmethod
    def _next(db: sqlite3.Connection, name: str) -> int:
        """Return the next number of a sequence; the first is 1."""
        db.execute("INSERT INTO meta VALUES (?, 1) ON CONFLICT DO UPDATE SET value = value + 1", (name,))
        return int(db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()[0])

    @staticmethod
    def _check_generation(db: sqlite3.Connection, generation: int) -> None:
        now = db.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
        if now is None or now[0] != generation:
            raise StaleProcessor(f"Generation {generation} of this instance's processors is over.")

    @classmethod
    def _check(cls, db: sqlite3.Connection, claim: Claim) -> None:
        cls._check_generation(db, claim.generation)
        row = db.execute("SELECT token FROM holders WHERE shard_id = ?", (claim.shard_id,)).fetchone()
        if row is None or row[0] != claim.token:
            raise StaleProcessor(f"Another processor has taken over {claim.shard_id}.")

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        # IMMEDIATE waits for its turn at once; a transaction that turns into a writing one later can fail instead.
        self._connection.execute(f"BEGIN {kind}")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk or an unreadable file ends the transaction by itself; a COMMIT that failed may not have.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _migrate(self) -> None:
        # Most connections find a ledger that is up to date, and must not wait for their turn to write.
        if self._connection.execute("PRAGMA user_version").fetchone()[0] == _SCHEMA_VERSION:
            return
        with self._transaction() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA_VERSION:
                raise ConfigError("The ledger was written by a newer version of kcl-flowlog; run that version.")
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
