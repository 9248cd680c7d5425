"""The books: what is published, who may write, and what becomes of a commit that was interrupted."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcl_flowlog import counters
from kcl_flowlog.counters import DeadLetter, Delta, RejectedPort, Traffic
from kcl_flowlog.deadletters import write_dead_letters
from kcl_flowlog.errors import ConfigError, StaleProcessor
from kcl_flowlog.leases import LeaseTable, settle_left_commits
from kcl_flowlog.ledger import Claim, Ledger, set_aside_if_broken
from kcl_flowlog.positions import Position, Verdict, settle

SHARD = "shardId-000000000000"
SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")
START = Position("TRIM_HORIZON")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


class Time:
    """Both clocks that a ledger reads."""

    def __init__(self) -> None:
        self.clock = 1000.0
        self.uptime = 50.0

    def goes_by(self, seconds: float) -> None:
        self.clock += seconds
        self.uptime += seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(path: Path, time: Time) -> Iterator[Ledger]:
    with Ledger(path, lambda: time.clock, lambda: time.uptime) as made:
        yield made


def claim(ledger: Ledger, at: Position = START, shard_id: str = SHARD) -> Claim:
    return ledger.claim(shard_id, ledger.begin_generation(), at)


def delta(flows: int = 1, packets: int = 10, octets: int = 100) -> Delta:
    made = Delta()
    for _ in range(flows):
        made.add_flow(SERIES, packets, octets)
    made.add(counters.EVENTS, "counted", flows)
    return made


def sums(ledger: Ledger) -> list[tuple[int, int, int]]:
    return [(total.flows, total.packets, total.bytes) for total in ledger.totals().traffic]


def shards_left(ledger: Ledger) -> list[str]:
    return [left.shard_id for left in ledger.left_commits()]


# base, upto, the checkpoint of now → what became of the commit.
VERDICTS = [
    ("100", "200", "100", Verdict.DROP),
    ("100", "200", "200", Verdict.FOLD),
    ("100", "200", "150", Verdict.DROP),
    ("100", "200", "50", Verdict.DROP),
    ("100", "200", "201", Verdict.UNDECIDED),
    ("100", "200", "SHARD_END", Verdict.UNDECIDED),
    ("TRIM_HORIZON", "200", "TRIM_HORIZON", Verdict.DROP),
    ("TRIM_HORIZON", "200", "200", Verdict.FOLD),
    ("AT_TIMESTAMP", "200", "AT_TIMESTAMP", Verdict.DROP),
    ("LATEST", "200", "TRIM_HORIZON", Verdict.DROP),
    ("99", "100", "99", Verdict.DROP),
    ("9", "10", "10", Verdict.FOLD),
]


@pytest.mark.parametrize(("base", "upto", "checkpoint", "verdict"), VERDICTS)
def test_a_checkpoint_tells_what_became_of_a_commit(base: str, upto: str, checkpoint: str, verdict: Verdict) -> None:
    """Sequence numbers are compared as numbers, and the KCL's words as the ends of a shard."""
    assert verdict == settle(Position(base), Position(upto), Position(checkpoint))


def test_sub_sequences_are_part_of_a_position() -> None:
    """Several user records can share a sequence number."""
    base, upto = Position("100", 1), Position("100", 3)

    assert Verdict.DROP is settle(base, upto, Position("100", 2))
    assert Verdict.FOLD is settle(base, upto, Position("100", 3))
    assert Verdict.UNDECIDED is settle(base, upto, Position("100", 4))


def test_a_delta_is_published_by_fold_and_not_before(ledger: Ledger) -> None:
    """What is prepared shows nowhere."""
    mine = claim(ledger)

    ledger.prepare(mine, START, Position("5"), delta().snapshot())
    assert sums(ledger) == []

    ledger.fold(mine)
    assert sums(ledger) == [(1, 10, 100)]
    assert ledger.totals().counts == {("events", "counted"): 1, ("checkpoints", "ok"): 1}


def test_deltas_add_up(ledger: Ledger) -> None:
    """Totals, ports, counts and histograms are sums over all commits."""
    mine = claim(ledger)
    for upto in ("5", "6"):
        made = delta(2)
        made.rejected_ports[RejectedPort("subnet-a", "ingress", "tcp", "22")] += 3
        made.observe(counters.EVENT_DELAY, 45.0, times=2)
        ledger.prepare(mine, START, Position(upto), made.snapshot())
        ledger.fold(mine)

    totals = ledger.totals()
    assert sums(ledger) == [(4, 40, 400)]
    assert [total.flows for total in totals.rejected_ports] == [6]
    assert (totals.histograms["event_delay"].buckets[1], totals.histograms["event_delay"].sum) == (4, 180.0)


def test_a_series_keeps_its_birth(ledger: Ledger, time: Time, path: Path) -> None:
    """A later commit, or a restart, is no birth."""
    mine = claim(ledger)
    for upto in ("5", "6"):
        ledger.prepare(mine, START, Position(upto), delta().snapshot())
        ledger.fold(mine)
        time.goes_by(60)
    with Ledger(path) as again:
        assert [total.born_at for total in again.totals().traffic] == [1000.0]


def test_a_total_stops_at_its_largest_number(ledger: Ledger) -> None:
    """64 bits are enough for any network; past them a total stays, exactly."""
    mine = claim(ledger)
    for upto in ("5", "6"):
        ledger.prepare(mine, START, Position(upto), delta(octets=2**62 + 1).snapshot())
        ledger.fold(mine)
    ledger.prepare(mine, START, Position("7"), delta(octets=2**70).snapshot())
    ledger.fold(mine)

    assert [total.bytes for total in ledger.totals().traffic] == [2**63 - 1]


@pytest.mark.parametrize(
    "supersede",
    [
        lambda ledger, old: ledger.claim(SHARD, old.generation, START),
        lambda ledger, old: ledger.begin_generation(),
    ],
    ids=["another processor has claimed the shard", "another daemon was started"],
)
def test_an_older_claim_changes_nothing(ledger: Ledger, supersede: Callable[[Ledger, Claim], object]) -> None:
    """Whoever claimed a shard last, of this generation, is the only one that may write for it."""
    old = claim(ledger)
    ledger.prepare(old, START, Position("5"), delta().snapshot())
    supersede(ledger, old)

    for step in (
        lambda: ledger.prepare(old, START, Position("6"), delta().snapshot()),
        lambda: ledger.fold(old),
        lambda: ledger.drop(old, "throttled"),
        lambda: ledger.leave(old, "lost", answered=True),
    ):
        with pytest.raises(StaleProcessor):
            step()

    assert sums(ledger) == []
    assert ledger.totals().counts == {}


def test_a_fold_without_a_preparation_is_refused(ledger: Ledger) -> None:
    """Nothing can be published that was not written down before its checkpoint."""
    with pytest.raises(StaleProcessor):
        ledger.fold(claim(ledger))


def test_an_undecided_commit_is_folded_and_counted(ledger: Ledger, time: Time) -> None:
    """Beyond our position nobody can tell; the records are counted, and so is the doubt."""
    ledger.prepare(claim(ledger), START, Position("5"), delta().snapshot())
    time.goes_by(3)

    found = claim(ledger, Position("9"))

    assert found.settled == (Verdict.UNDECIDED, 1, 10, 100)
    assert sums(ledger) == [(1, 10, 100)]
    assert ledger.totals().counts["undecided_commits", ""] == 1


@pytest.mark.parametrize(
    ("clock", "uptime", "verdict"),
    [
        (2.9, 2.9, Verdict.DROP),
        (3600.0, 2.9, Verdict.UNDECIDED),
        (-3600.0, 2.9, Verdict.UNDECIDED),
        (2.9, -50.0, Verdict.UNDECIDED),
    ],
    ids=["younger than a lease's way", "the clock was set on", "the clock was set back", "the machine began anew"],
)
def test_nobody_can_have_gone_on_from_a_young_commit(
    ledger: Ledger, time: Time, clock: float, uptime: float, verdict: Verdict
) -> None:
    """Whoever is beyond it so soon, began before it: it never happened. Both clocks have to say so."""
    ledger.prepare(claim(ledger), START, Position("5"), delta().snapshot())
    time.clock += clock
    time.uptime += uptime

    found = claim(ledger, Position("9"))

    assert found.settled is not None
    assert found.settled.verdict is verdict


def test_a_commit_is_as_old_as_the_first_question_that_may_have_been_granted(ledger: Ledger, time: Time) -> None:
    """Throttled ones before it were not."""
    mine = claim(ledger)
    ledger.prepare(mine, START, Position("5"), delta().snapshot())
    time.goes_by(30)
    ledger.ask_again(mine)
    time.goes_by(1)

    found = claim(ledger, Position("9"))

    assert found.settled is not None
    assert found.settled.verdict is Verdict.DROP


def test_only_what_can_no_longer_change_is_settled_by_the_lease_table(ledger: Ledger) -> None:
    """A checkpoint under way must not be judged: its answer is still to come."""
    mine = claim(ledger)
    ledger.prepare(mine, START, Position("5"), delta().snapshot())
    assert shards_left(ledger) == []

    ledger.leave(mine, "ambiguous", answered=False)
    assert shards_left(ledger) == []

    ledger.leave(mine, "lost", answered=True)
    assert shards_left(ledger) == [SHARD]


def test_what_an_older_generation_left_is_settled_by_the_lease_table(ledger: Ledger) -> None:
    """Its daemon is gone, and with it every answer."""
    ledger.prepare(claim(ledger), START, Position("5"), delta().snapshot())
    ledger.begin_generation()

    assert shards_left(ledger) == [SHARD]


class FakeDynamoDB:
    def __init__(self, *rows: tuple[str, str]) -> None:
        self._rows = dict(rows)

    def get_item(self, **request: object) -> dict[str, object]:
        key = request["Key"]["leaseKey"]["S"]  # type: ignore[index]
        if key not in self._rows:
            return {}
        return {"Item": {"checkpoint": {"S": self._rows[key]}, "checkpointSubSequenceNumber": {"N": "0"}}}


@pytest.mark.parametrize(
    ("rows", "flows", "undecided"),
    [
        ([(SHARD, "TRIM_HORIZON")], 0, 0),
        ([(SHARD, "3")], 0, 0),
        ([(SHARD, "5")], 1, 0),
        ([(SHARD, "7")], 1, 1),
        ([], 1, 1),
    ],
    ids=["not happened", "others began anew", "happened", "others went on", "the shard is through"],
)
def test_the_lease_row_settles(
    ledger: Ledger, time: Time, rows: list[tuple[str, str]], flows: int, undecided: int
) -> None:
    """What `initialize` would have told, had the shard come back, the lease row tells."""
    mine = claim(ledger)
    ledger.prepare(mine, START, Position("5"), delta().snapshot())
    ledger.leave(mine, "lost", answered=True)
    time.goes_by(60)

    assert settle_left_commits(ledger, LeaseTable(FakeDynamoDB(*rows), "app"))

    assert flows == sum(total.flows for total in ledger.totals().traffic)
    assert undecided == ledger.totals().counts.get(("undecided_commits", ""), 0)
    assert shards_left(ledger) == []


def test_a_lease_row_says_nothing_of_a_commit_begun_after_it_was_read(ledger: Ledger) -> None:
    """While the lease row is on its way, the shard comes back and the next commit is prepared: that one stays."""
    old = claim(ledger)
    ledger.prepare(old, START, Position("5"), delta().snapshot())
    generation = ledger.begin_generation()
    new: list[Claim] = []

    class SlowLeases(LeaseTable):
        def checkpoint(self, shard_id: str) -> Position:
            new.append(ledger.claim(shard_id, generation, START))
            ledger.prepare(new[0], START, Position("6"), delta(flows=2).snapshot())
            ledger.leave(new[0], "lost", answered=True)
            return START

    settle_left_commits(ledger, SlowLeases(None, "app"))
    ledger.fold(new[0])

    assert sums(ledger) == [(2, 20, 200)]


def fail_prepare(ledger: Ledger, held: Claim) -> None:
    large = Delta()
    for number in range(5_000):
        large.add_flow(SERIES._replace(subnet_id=f"subnet-{number:0100}"), 1, 1)
    ledger.prepare(held, START, Position("6"), large.snapshot())


def test_a_full_disk_is_told_as_such_and_leaves_the_books_as_they_were(ledger: Ledger) -> None:
    """SQLite may end the transaction by itself then; the error that comes out is the disk's."""
    held = claim(ledger)
    ledger.prepare(held, START, Position("5"), delta().snapshot())
    ledger.fold(held)
    connection = ledger._connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + 1}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fail_prepare(ledger, held)

    connection.execute("PRAGMA max_page_count = 100000")
    ledger.prepare(held, Position("5"), Position("6"), delta().snapshot())
    ledger.fold(held)
    assert sums(ledger) == [(2, 20, 200)]


def test_a_commit_that_sqlite_refuses_leaves_no_transaction_open(ledger: Ledger) -> None:
    """A COMMIT that fails is rolled back, so that the next transaction can begin."""
    held = claim(ledger)
    ledger._connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    ledger._connection.execute(
        "CREATE TABLE children (id INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    ledger._connection.execute("PRAGMA foreign_keys = ON")

    with pytest.raises(sqlite3.IntegrityError), ledger._transaction() as db:
        db.execute("INSERT INTO children VALUES (1)")

    ledger.prepare(held, START, Position("5"), delta().snapshot())
    ledger.fold(held)
    assert sums(ledger) == [(1, 10, 100)]


def test_many_writers_and_a_reader(path: Path) -> None:
    """Processors commit at the same time, the page is read meanwhile, and the sums are exact."""
    commits, shards = 30, 6
    with Ledger(path) as ledger:
        generation = ledger.begin_generation()
    failures: list[Exception] = []

    def work(shard: int) -> None:
        try:
            with Ledger(path) as mine:
                held = mine.claim(f"shard-{shard}", generation, START)
                for number in range(1, commits + 1):
                    mine.prepare(held, START, Position(str(number)), delta().snapshot())
                    mine.fold(held)
        except Exception as error:  # noqa: BLE001 - told by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(shard,)) for shard in range(shards)]
    for thread in threads:
        thread.start()
    seen = [0]
    while any(thread.is_alive() for thread in threads):
        with Ledger(path) as reader:
            seen.append(sum(total.flows for total in reader.totals().traffic))
    for thread in threads:
        thread.join()

    assert failures == []
    assert sorted(seen) == seen
    with Ledger(path) as ledger:
        assert sums(ledger) == [(commits * shards, 10 * commits * shards, 100 * commits * shards)]


def test_idle_subnets_that_are_gone_are_forgotten(path: Path) -> None:
    """A subnet ends when nobody knows it and it had no traffic for long; a quiet one that exists stays."""
    with Ledger(path, clock=lambda: 1000.0) as ledger:
        mine = claim(ledger)
        made = Delta()
        for subnet_id in ("subnet-gone", "subnet-quiet"):
            made.add_flow(SERIES._replace(subnet_id=subnet_id), 1, 1)
        made.add(counters.EVENTS, "counted", 2)
        ledger.prepare(mine, START, Position("5"), made.snapshot())
        ledger.fold(mine)

        assert ledger.forget_idle_subnets({"subnet-quiet"}, before=1000.0) == []
        assert ledger.forget_idle_subnets({"subnet-quiet"}, before=1000.1) == ["subnet-gone"]
        assert [total.series.subnet_id for total in ledger.totals().traffic] == ["subnet-quiet"]


def test_dead_letters_come_with_their_commit_and_move_to_the_file(ledger: Ledger, tmp_path: Path) -> None:
    """Dropped commits bury nobody; the file rotates once at its limit."""
    mine = claim(ledger)
    file = tmp_path / "dead-letters.jsonl"
    made = delta()
    made.bury(DeadLetter(SHARD, "5", 0, "bad_number", "line", "x" * 100))
    ledger.prepare(mine, START, Position("5"), made.snapshot())
    ledger.drop(mine, "throttled")
    assert write_dead_letters(ledger, file, 1000) == 0

    for upto in ("5", "6", "7"):
        ledger.prepare(mine, START, Position(upto), made.snapshot())
        ledger.fold(mine)
        assert write_dead_letters(ledger, file, 600) == 1

    assert ledger.dead_letters() == []
    assert file.with_name("dead-letters.jsonl.1").read_text().count("\n") == 2
    assert file.read_text().count('"reason":"bad_number"') == 1


def test_a_ledger_of_a_newer_version_is_left_alone(path: Path) -> None:
    """Going back a version must not misread the books."""
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(ConfigError, match="newer version"):
        Ledger(path)


def test_a_sound_ledger_stays_where_it_is(ledger: Ledger, path: Path) -> None:
    """Also while somebody writes to it."""
    ledger.prepare(claim(ledger), START, Position("5"), delta().snapshot())

    assert set_aside_if_broken(path, "broken") is None
    assert path.exists()


def test_no_ledger_is_not_a_broken_one(path: Path) -> None:
    """The first start makes it."""
    assert set_aside_if_broken(path, "broken") is None


@pytest.mark.parametrize("damage", ["no database", "zeros in the middle", "cut short"])
def test_a_broken_ledger_is_kept_aside(path: Path, damage: str) -> None:
    """A new one begins, and none of the old one's files are taken for the new one's."""
    with Ledger(path) as ledger:
        for number in range(300):
            mine = claim(ledger, shard_id=f"shardId-{number}")
            ledger.prepare(mine, START, Position("5"), delta().snapshot())
    content = path.read_bytes()
    path.write_bytes(
        {
            "no database": b"What is this?" * 1000,
            "zeros in the middle": content[:4096] + bytes(len(content) - 8192) + content[-4096:],
            "cut short": content[: len(content) // 2],
        }[damage]
    )

    aside = set_aside_if_broken(path, "broken")

    assert aside == path.with_name("ledger.sqlite3.broken")
    assert aside.exists()
    with Ledger(path) as ledger:
        assert ledger.totals().traffic == []
