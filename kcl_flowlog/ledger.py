"""The books of one instance: published totals, and at most one prepared commit per shard.

A commit has three steps:

1. `prepare`: one transaction writes the delta counted from checkpoint `base`
   up to position `upto`.
2. The KCL checkpoints `upto`; that is not done here.
3. `fold`: one transaction adds the delta to the totals and removes it.

Only totals are ever shown. A process may stop at any point:

- before 1: nothing happened; the KCL redelivers from `base`;
- between 1 and 3: the next `claim` of the shard brings the checkpoint of now,
  and `positions.settle` says from it whether step 2 happened;
- after 3: nothing to redo.

Each step is one transaction, on disk when it returns (WAL, synchronous FULL).
Whoever claims a shard gets a token; any step with an older token, or of a
generation that is over, raises `StaleProcessor` and changes nothing. A broken
file, a full disk and the like raise `LedgerError`: broken machinery, which must
end the process.

Knows no KCL, no AWS and no metric name. The home of sqlite3.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from kcl_flowlog import counters
from kcl_flowlog.counters import DeadLetter, Histogram, RejectedPort, Snapshot, Traffic
from kcl_flowlog.duplicates import FINGERPRINT_BYTES, WINDOW
from kcl_flowlog.errors import ConfigError, StaleProcessor
from kcl_flowlog.positions import Position, Verdict, settle

# SQLite adds 64-bit integers; a total stops there instead of turning into a rounded number.
_MOST = 2**63 - 1

# So many seconds after a commit was begun, nobody can have gone on from its checkpoint yet: the lease would have to
# expire or to be handed over, and a new processor to start.
_UNPASSED = 3.0

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE holders (shard_id TEXT PRIMARY KEY, token TEXT NOT NULL);
CREATE TABLE prepared (
    shard_id TEXT PRIMARY KEY, token TEXT NOT NULL,
    base_sequence TEXT NOT NULL, base_sub INTEGER NOT NULL,
    upto_sequence TEXT NOT NULL, upto_sub INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    answered INTEGER NOT NULL DEFAULT 0,
    delta BLOB NOT NULL,
    prepared_at REAL NOT NULL, uptime REAL NOT NULL
);
CREATE TABLE traffic (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, action TEXT NOT NULL,
    protocol TEXT NOT NULL, peer TEXT NOT NULL,
    flows INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL,
    born_at REAL NOT NULL, counted_at REAL NOT NULL,
    PRIMARY KEY (subnet_id, direction, action, protocol, peer)
) WITHOUT ROWID;
CREATE TABLE rejected_ports (
    subnet_id TEXT NOT NULL, direction TEXT NOT NULL, protocol TEXT NOT NULL, port TEXT NOT NULL,
    flows INTEGER NOT NULL,
    born_at REAL NOT NULL,
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


_LEFT_COMMITS = """
SELECT shard_id, token FROM prepared
WHERE (answered OR generation < (SELECT value FROM meta WHERE name = 'generation'))
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
    """One traffic series with its totals; `born_at` is Unix seconds."""

    series: Traffic
    flows: int
    packets: int
    bytes: int
    born_at: float


class RejectedPortTotal(NamedTuple):
    """One series of rejected flows by port; `born_at` is Unix seconds."""

    series: RejectedPort
    flows: int
    born_at: float


class Totals(NamedTuple):
    """All published totals, read at one moment."""

    traffic: list[TrafficTotal]
    rejected_ports: list[RejectedPortTotal]
    counts: dict[tuple[str, str], int]
    histograms: dict[str, Histogram]


class Settlement(NamedTuple):
    """What became of a commit that was found prepared, and how much it was."""

    verdict: Verdict
    flows: int
    packets: int
    bytes: int


class Claim(NamedTuple):
    """The right to commit for a shard, and what became of a commit found prepared."""

    shard_id: str
    token: str
    generation: int
    settled: Settlement | None


class LeftCommit(NamedTuple):
    """A prepared delta that the lease table can settle: its shard, and the token that it was prepared with."""

    shard_id: str
    token: str


class Ledger:
    """One connection to the books. Each process opens its own; a thread may not share it.

    `uptime` is a clock that nobody sets, and that all processes of a machine share.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, uptime: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._uptime = uptime
        self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
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
            db.execute("INSERT INTO meta VALUES ('generation', 1) ON CONFLICT DO UPDATE SET value = value + 1")
            return int(db.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()[0])

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

    def left_commits(self) -> list[LeftCommit]:
        """Return the prepared deltas that can be settled by the lease table.

        That is where the KCL has answered, or where its daemon is gone; a
        checkpoint that is still under way must not be judged.
        """
        return [LeftCommit(*row) for row in self._connection.execute(f"{_LEFT_COMMITS} ORDER BY shard_id")]

    def settle(self, left: LeftCommit, checkpoint: Position) -> Settlement | None:
        """Settle a commit of `left_commits` by a checkpoint read after it was listed.

        None if it has been settled otherwise by now: that checkpoint says
        nothing of a commit that the shard's next holder has begun since.
        """
        with self._transaction() as db:
            if db.execute(f"{_LEFT_COMMITS} AND shard_id = ? AND token = ?", left).fetchone() is None:
                return None
            return self._settle(db, left.shard_id, checkpoint)

    # What a processor does

    def claim(self, shard_id: str, generation: int, checkpoint: Position) -> Claim:
        """Take the shard, and settle what an earlier holder left prepared, by the checkpoint of now.

        Raises `StaleProcessor` for a generation that is over.
        """
        token = uuid.uuid4().hex
        with self._transaction() as db:
            self._check_generation(db, generation)
            db.execute("INSERT OR REPLACE INTO holders VALUES (?, ?)", (shard_id, token))
            return Claim(shard_id, token, generation, self._settle(db, shard_id, checkpoint))

    def prepare(self, claim: Claim, base: Position, upto: Position, delta: Snapshot) -> None:
        """Write down what was counted after `base` up to `upto`: step 1 of a commit."""
        with self._transaction() as db:
            self._check(db, claim)
            db.execute(
                "INSERT INTO prepared VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
                (
                    *(claim.shard_id, claim.token, *base, *upto, claim.generation, msgspec.json.encode(delta)),
                    *(self._clock(), self._uptime()),
                ),
            )

    def ask_again(self, claim: Claim) -> None:
        """Note that step 2 begins only now: so far, its checkpoint certainly did not happen."""
        with self._transaction() as db:
            self._check(db, claim)
            db.execute(
                "UPDATE prepared SET prepared_at = ?, uptime = ? WHERE shard_id = ?",
                (self._clock(), self._uptime(), claim.shard_id),
            )

    def fold(self, claim: Claim) -> None:
        """Add the prepared delta to the totals: step 3 of a commit, after its checkpoint is certain."""
        with self._transaction() as db:
            self._check(db, claim)
            delta = self._take(db, claim.shard_id)
            if delta is None:
                raise StaleProcessor(f"The ledger holds nothing prepared for {claim.shard_id}.")
            self._add(db, claim.shard_id, delta)
            self._count(db, counters.CHECKPOINTS, "ok", 1)

    def drop(self, claim: Claim, outcome: str) -> None:
        """Remove the prepared delta, as its checkpoint certainly did not happen, and count why."""
        with self._transaction() as db:
            self._check(db, claim)
            db.execute("DELETE FROM prepared WHERE shard_id = ?", (claim.shard_id,))
            self._count(db, counters.CHECKPOINTS, outcome, 1)

    def leave(self, claim: Claim, outcome: str, answered: bool) -> None:
        """Leave the prepared delta to be settled later, and count why.

        `answered` says that the KCL is through with the checkpoint: whatever
        came of it stands in the lease table now, and can't change any more.
        """
        with self._transaction() as db:
            self._check(db, claim)
            if answered:
                db.execute("UPDATE prepared SET answered = 1 WHERE shard_id = ?", (claim.shard_id,))
            self._count(db, counters.CHECKPOINTS, outcome, 1)

    def fingerprints(self, shard_id: str) -> list[bytes]:
        """Return the fingerprints of the latest envelopes counted of a shard, the oldest first."""
        rows = self._connection.execute("SELECT body FROM fingerprints WHERE shard_id = ? ORDER BY id", (shard_id,))
        return [
            body[start : start + FINGERPRINT_BYTES]
            for (body,) in rows
            for start in range(0, len(body), FINGERPRINT_BYTES)
        ]

    # Inside a transaction

    def _settle(self, db: sqlite3.Connection, shard_id: str, checkpoint: Position) -> Settlement | None:
        row = db.execute(
            "SELECT base_sequence, base_sub, upto_sequence, upto_sub, prepared_at, uptime FROM prepared"
            " WHERE shard_id = ?",
            (shard_id,),
        ).fetchone()
        delta = self._take(db, shard_id)
        if row is None or delta is None:
            return None
        # Either clock alone may have been set, or begun anew.
        ages = (self._clock() - row[4], self._uptime() - row[5])
        is_fresh = all(0 <= age < _UNPASSED for age in ages)
        verdict = settle(Position(row[0], row[1]), Position(row[2], row[3]), checkpoint, is_fresh)
        if verdict is not Verdict.DROP:
            self._add(db, shard_id, delta)
        if verdict is Verdict.UNDECIDED:
            self._count(db, counters.UNDECIDED_COMMITS, "", 1)
        flows, packets, octets = (sum(numbers[place] for _, numbers in delta.traffic) for place in range(3))
        return Settlement(verdict, flows, packets, octets)

    @staticmethod
    def _take(db: sqlite3.Connection, shard_id: str) -> Snapshot | None:
        """Remove and return what is prepared for a shard, if anything."""
        row = db.execute("SELECT delta FROM prepared WHERE shard_id = ?", (shard_id,)).fetchone()
        db.execute("DELETE FROM prepared WHERE shard_id = ?", (shard_id,))
        return msgspec.json.decode(row[0], type=Snapshot) if row is not None else None

    def _add(self, db: sqlite3.Connection, shard_id: str, delta: Snapshot) -> None:
        """Add a delta to the totals."""
        now = self._clock()
        db.executemany(
            _ADD_TRAFFIC,
            [(*series, *(min(number, _MOST) for number in numbers), now, now) for series, numbers in delta.traffic],
        )
        db.executemany(
            "INSERT INTO rejected_ports VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET flows = flows + excluded.flows",
            [(*series, flows, now) for series, flows in delta.rejected_ports],
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
