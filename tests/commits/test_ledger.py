"""The books: what is published, who may write, and what becomes of a commit that was interrupted."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.ledger import Claim, Ledger, LedgerError, is_damage, set_aside_if_broken
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.delta import DeadLetter, Delta, RejectedPort, Traffic
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import ConfigError, StaleProcessor
from kcl_flowlog.launcher.dead_letters import write_dead_letters

SHARD = "shardId-000000000000"
SERIES = Traffic("subnet-a", "egress", "accept", "tcp", "internet")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


class Time:
    """The clock that a ledger reads."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(path: Path, time: Time) -> Iterator[Ledger]:
    with Ledger(path, time) as made:
        yield made


def claim(ledger: Ledger, shard_id: str = SHARD) -> Claim:
    return ledger.claim(shard_id, ledger.begin_generation())


def delta(flows: int = 1, packets: int = 10, octets: int = 100) -> Delta:
    made = Delta()
    for _ in range(flows):
        made.add_flow(SERIES, packets, octets)
    made.add(counts.EVENTS, "counted", flows)
    return made


def sums(ledger: Ledger) -> list[tuple[int, int, int]]:
    return [(total.flows, total.packets, total.bytes) for total in ledger.totals().traffic]


def shards_left(ledger: Ledger) -> list[str]:
    return [left.shard_id for left in ledger.left_commits()]


def test_a_delta_is_published_by_fold_and_not_before(ledger: Ledger) -> None:
    """What is prepared shows nowhere."""
    mine = claim(ledger)

    ledger.prepare(mine, Position("5"), delta().snapshot())
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
        made.observe(counts.EVENT_DELAY, 45.0, times=2)
        ledger.prepare(mine, Position(upto), made.snapshot())
        ledger.fold(mine)

    totals = ledger.totals()
    assert sums(ledger) == [(4, 40, 400)]
    assert [total.flows for total in totals.rejected_ports] == [6]
    assert (totals.histograms["event_delay"].buckets[1], totals.histograms["event_delay"].sum) == (4, 180.0)


def test_a_series_keeps_its_birth(ledger: Ledger, path: Path) -> None:
    """A later commit, or a restart, is no birth; a series that comes again after it was forgotten is a new one."""
    mine = claim(ledger)

    def births(upto: str) -> set[int]:
        ledger.prepare(mine, Position(upto), delta().snapshot())
        ledger.fold(mine)
        with Ledger(path) as again:
            totals = again.totals()
        births = {total.birth for total in (*totals.traffic, *totals.rejected_ports)}
        assert totals.newest_birth() == max(births)
        return births

    assert [births("5"), births("6")] == [{1}, {1}]
    ledger.forget_idle_subnets([], 5000.0)
    assert births("7") == {3}


def test_what_was_shown_is_remembered(ledger: Ledger, path: Path) -> None:
    """By the ledger itself, so that a new one begins with nothing shown."""
    assert ledger.shown() == 0
    ledger.note_shown(7)
    ledger.note_shown(9)
    with Ledger(path) as again:
        assert again.shown() == 9


def test_a_total_stops_at_its_largest_number(ledger: Ledger) -> None:
    """64 bits are enough for any network; past them a total stays, exactly."""
    mine = claim(ledger)
    for upto in ("5", "6"):
        ledger.prepare(mine, Position(upto), delta(octets=2**62 + 1).snapshot())
        ledger.fold(mine)
    ledger.prepare(mine, Position("7"), delta(octets=2**70).snapshot())
    ledger.fold(mine)

    assert [total.bytes for total in ledger.totals().traffic] == [2**63 - 1]


@pytest.mark.parametrize(
    "supersede",
    [
        lambda ledger, old: ledger.claim(SHARD, old.generation),
        lambda ledger, old: ledger.begin_generation(),
    ],
    ids=["another processor has claimed the shard", "another daemon was started"],
)
def test_an_older_claim_changes_nothing(ledger: Ledger, supersede: Callable[[Ledger, Claim], object]) -> None:
    """Whoever claimed a shard last, of this generation, is the only one that may write for it."""
    old = claim(ledger)
    ledger.prepare(old, Position("5"), delta().snapshot())
    supersede(ledger, old)

    for step in (
        lambda: ledger.prepare(old, Position("6"), delta().snapshot()),
        lambda: ledger.fold(old),
        lambda: ledger.note_refusal(old, "throttled"),
        lambda: ledger.abandon(old),
    ):
        with pytest.raises(StaleProcessor):
            step()

    assert sums(ledger) == []
    assert ledger.totals().counts == {}


def test_a_fold_without_a_preparation_is_refused(ledger: Ledger) -> None:
    """Nothing can be published that was not written down before its checkpoint."""
    with pytest.raises(StaleProcessor):
        ledger.fold(claim(ledger))


SETTLED = {Verdict.DROP: ([], 0), Verdict.FOLD: ([(1, 10, 100)], 0), Verdict.UNDECIDED: ([(1, 10, 100)], 1)}


@pytest.mark.parametrize("verdict", SETTLED)
def test_a_left_commit_is_settled_once(ledger: Ledger, verdict: Verdict) -> None:
    """Dropped or folded, and counted where nobody could tell."""
    ledger.prepare(claim(ledger), Position("5"), delta().snapshot())
    ledger.begin_generation()
    (left,) = ledger.left_commits()

    assert ledger.settle(left, verdict) == (1, 10, 100)
    assert ledger.settle(left, verdict) is None

    assert (sums(ledger), ledger.totals().counts.get(("undecided_commits", ""), 0)) == SETTLED[verdict]
    assert ledger.left_commits() == []


LEAVING = {
    "its holder goes on with it": (lambda ledger, holder: None, []),
    "a checkpoint of it was refused, and may be asked for again": (
        lambda ledger, holder: ledger.note_refusal(holder, "throttled"),
        [],
    ),
    "its holder has given it up": (lambda ledger, holder: ledger.abandon(holder), [SHARD]),
    "another processor has the shard": (lambda ledger, holder: ledger.claim(SHARD, holder.generation), [SHARD]),
    "another processor has another shard": (lambda ledger, holder: ledger.claim("other", holder.generation), []),
    "its daemon is gone": (lambda ledger, holder: ledger.begin_generation(), [SHARD]),
}


@pytest.mark.parametrize("happens", LEAVING)
def test_a_commit_is_left_once_its_holder_cannot_come_back_to_it(ledger: Ledger, happens: str) -> None:
    """Until then it is its holder's to fold."""
    holder = claim(ledger)
    ledger.prepare(holder, Position("5"), delta().snapshot())
    do, expected = LEAVING[happens]

    do(ledger, holder)

    assert shards_left(ledger) == expected


def test_a_new_holder_commits_beside_what_an_earlier_one_left(ledger: Ledger) -> None:
    """Each settles its own."""
    old = claim(ledger)
    ledger.prepare(old, Position("5"), delta().snapshot())
    new = ledger.claim(SHARD, old.generation)
    ledger.prepare(new, Position("6"), delta(flows=2).snapshot())
    (left,) = ledger.left_commits()
    assert left == (SHARD, old.token, Position("5"))

    ledger.fold(new)
    assert sums(ledger) == [(2, 20, 200)]

    ledger.settle(left, Verdict.FOLD)
    assert sums(ledger) == [(3, 30, 300)]


def fail_prepare(ledger: Ledger, held: Claim) -> None:
    large = Delta()
    for number in range(5_000):
        large.add_flow(SERIES._replace(subnet_id=f"subnet-{number:0100}"), 1, 1)
    ledger.prepare(held, Position("6"), large.snapshot())


def test_a_full_disk_is_told_as_such_and_leaves_the_books_as_they_were(ledger: Ledger) -> None:
    """SQLite may end the transaction by itself then; the error that comes out is the disk's."""
    held = claim(ledger)
    ledger.prepare(held, Position("5"), delta().snapshot())
    ledger.fold(held)
    connection = ledger._connection
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + 1}")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        fail_prepare(ledger, held)

    connection.execute("PRAGMA max_page_count = 100000")
    ledger.prepare(held, Position("6"), delta().snapshot())
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

    ledger.prepare(held, Position("5"), delta().snapshot())
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
                held = mine.claim(f"shard-{shard}", generation)
                for number in range(1, commits + 1):
                    mine.prepare(held, Position(str(number)), delta().snapshot())
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
        made.add(counts.EVENTS, "counted", 2)
        ledger.prepare(mine, Position("5"), made.snapshot())
        ledger.fold(mine)

        assert ledger.forget_idle_subnets({"subnet-quiet"}, before=1000.0) == []
        assert ledger.forget_idle_subnets({"subnet-quiet"}, before=1000.1) == ["subnet-gone"]
        assert [total.series.subnet_id for total in ledger.totals().traffic] == ["subnet-quiet"]


def test_dead_letters_come_with_their_commit_and_move_to_the_file(ledger: Ledger, tmp_path: Path) -> None:
    """What is prepared buries nobody; the file rotates once at its limit."""
    mine = claim(ledger)
    file = tmp_path / "dead-letters.jsonl"
    made = delta()
    made.bury(DeadLetter(SHARD, "5", 0, "bad_number", "line", "x" * 100))
    ledger.prepare(mine, Position("5"), made.snapshot())
    assert write_dead_letters(ledger, file, 1000) == 0

    ledger.fold(mine)
    assert write_dead_letters(ledger, file, 600) == 1
    for upto in ("6", "7"):
        ledger.prepare(mine, Position(upto), made.snapshot())
        ledger.fold(mine)
        assert write_dead_letters(ledger, file, 600) == 1

    assert ledger.dead_letters() == []
    assert file.with_name("dead-letters.jsonl.1").read_text().count("\n") == 2
    assert file.read_text().count('"reason":"bad_number"') == 1


def test_dead_letters_that_do_not_fit_the_disk_come_again_whole(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half line is left, and none is there twice."""
    file = tmp_path / "dead-letters.jsonl"
    mine = claim(ledger)
    made = delta()
    made.bury(DeadLetter(SHARD, "5", 0, "bad_number", "line", "x"))
    ledger.prepare(mine, Position("5"), made.snapshot())
    ledger.fold(mine)
    file.write_text("earlier\n")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_dead_letters(ledger, file, 10_000)
    assert file.read_text() == "earlier\n"

    assert write_dead_letters(ledger, file, 10_000) == 1
    assert file.read_text().count("\n") == 2


def test_damage_is_told_from_what_passes(path: Path) -> None:
    """A page overwritten while the ledger is in use shows as damage in the next step that needs it; a lock does not."""
    with Ledger(path) as ledger:
        mine = claim(ledger)
        ledger.prepare(mine, Position("5"), delta().snapshot())
        ledger.fold(mine)
        (page,) = ledger._connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'traffic'").fetchone()
        (size,) = ledger._connection.execute("PRAGMA page_size").fetchone()
        ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)

    with Ledger(path) as ledger:
        mine = claim(ledger)
        ledger.prepare(mine, Position("6"), delta().snapshot())
        with pytest.raises(LedgerError) as told:
            ledger.fold(mine)
    assert is_damage(told.value)
    assert not is_damage(sqlite3.OperationalError("database or disk is full"))


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
    ledger.prepare(claim(ledger), Position("5"), delta().snapshot())

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
            ledger.prepare(mine, Position("5"), delta().snapshot())
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
