"""The ledger: what is published, who may write, and how an interrupted commit ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.database import connect, transaction
from kcl_flowlog.commits.holders import Claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting import counts
from kcl_flowlog.counting.dead_letter import DeadLetter
from kcl_flowlog.counting.delta import Delta, Histogram, RejectedPort
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import StaleProcessor
from tests.support.ledgers import SERIES, SHARD, claim, commit, make_delta, sums

LARGEST = 2**63 - 1


def test_fold_publishes_a_delta(ledger: Ledger) -> None:
    """A prepared delta shows nowhere until it is folded."""
    held = claim(ledger)

    ledger.prepare(held, Position("5"), make_delta().snapshot())
    assert [] == sums(ledger)
    assert {} == ledger.totals().counts

    ledger.fold(held)
    assert [(1, 10, 100)] == sums(ledger)
    assert {("events", "counted"): 1, ("checkpoints", "ok"): 1} == ledger.totals().counts


def test_deltas_add_up(ledger: Ledger) -> None:
    """Totals, ports, counts and histograms are sums over all commits."""
    held = claim(ledger)
    for upto in ("5", "6"):
        delta = make_delta(2)
        delta.rejected_ports[RejectedPort("subnet-a", "ingress", "tcp", "22")] += 3
        delta.observe(counts.EVENT_DELAY, 45.0)
        delta.observe(counts.EVENT_DELAY, 45.0)
        commit(ledger, held, upto, delta)

    totals = ledger.totals()
    assert [(4, 40, 400)] == sums(ledger)
    assert [SERIES] == [total.series for total in totals.traffic]
    assert [(RejectedPort("subnet-a", "ingress", "tcp", "22"), 6)] == [
        (total.series, total.flows) for total in totals.rejected_ports
    ]
    assert {("events", "counted"): 4, ("checkpoints", "ok"): 2} == totals.counts
    assert {"event_delay": Histogram([0, 4] + [0] * 10, 180.0)} == totals.histograms


def test_series_are_apart(ledger: Ledger) -> None:
    """Each combination of labels has its own total, in the order of its labels."""
    held = claim(ledger)
    delta = make_delta()
    other = SERIES._replace(direction="ingress")
    delta.add_flow(other, 7, 8)
    delta.add_flow(other, 7, 8)
    commit(ledger, held, delta=delta)

    assert {SERIES: (1, 10, 100, 1), other: (2, 14, 16, 1)} == {
        total.series: total[1:] for total in ledger.totals().traffic
    }


def test_a_histogram_with_new_buckets_starts_again(ledger: Ledger) -> None:
    """A version with a different number of buckets can't add to the old ones."""
    held = claim(ledger)
    delta = make_delta()
    delta.histograms["event_delay"] = Histogram([1, 2], 30.0)
    commit(ledger, held, "5", delta)
    delta.histograms["event_delay"] = Histogram([4, 5, 6], 60.0)
    commit(ledger, held, "6", delta)

    assert {"event_delay": Histogram([4, 5, 6], 60.0)} == ledger.totals().histograms


def test_a_series_keeps_its_birth(ledger: Ledger, path: Path) -> None:
    """Later commits and restarts don't change it; a series that returns after it was forgotten is born again."""
    held = claim(ledger)

    def births(upto: str) -> set[int]:
        delta = make_delta()
        delta.rejected_ports[RejectedPort("subnet-a", "ingress", "tcp", "22")] += 1
        commit(ledger, held, upto, delta)
        with Ledger(path) as again:
            totals = again.totals()
        return {*(total.birth for total in totals.traffic), *(total.birth for total in totals.rejected_ports)}

    assert {1} == births("5")
    assert {1} == births("6")
    ledger.pass_time(1)
    ledger.forget_idle_subnets([], 0)
    assert {3} == births("7")


def test_the_newest_birth_is_of_traffic_and_of_rejected_ports(ledger: Ledger) -> None:
    """0 without a series, else the latest birth of either kind."""
    held = claim(ledger)
    assert 0 == ledger.totals().newest_birth()

    commit(ledger, held, "5")
    assert 1 == ledger.totals().newest_birth()

    delta = make_delta()
    delta.rejected_ports[RejectedPort("subnet-a", "ingress", "tcp", "22")] += 1
    commit(ledger, held, "6", delta)
    assert 2 == ledger.totals().newest_birth()


def test_what_was_shown_is_remembered(ledger: Ledger, path: Path) -> None:
    """A restart knows it; a new ledger begins with nothing shown."""
    assert 0 == ledger.shown()

    ledger.note_shown(7)
    ledger.note_shown(9)

    with Ledger(path) as again:
        assert 9 == again.shown()


def test_a_total_stops_at_its_largest_number(ledger: Ledger) -> None:
    """Past 64 bits a total stays at the largest number instead of being rounded."""
    held = claim(ledger)
    for upto in ("5", "6"):
        commit(ledger, held, upto, make_delta(packets=2**62 + 1, octets=2**62 + 1))
    commit(ledger, held, "7", make_delta(packets=2**70, octets=2**70))

    assert [(3, LARGEST, LARGEST)] == sums(ledger)


def test_a_number_too_large_for_sqlite_is_cut_at_once(ledger: Ledger) -> None:
    """Also in a series' first commit."""
    commit(ledger, claim(ledger), "5", make_delta(packets=2**63, octets=2**63 - 1))

    assert [(1, LARGEST, LARGEST)] == sums(ledger)


SUPERSEDE: dict[str, Callable[[Ledger, Claim], object]] = {
    "another processor has claimed the shard": lambda ledger, old: ledger.claim(SHARD, old.generation),
    "another daemon was started": lambda ledger, old: ledger.begin_generation(),
}
STEPS: dict[str, Callable[[Ledger, Claim], None]] = {
    "prepare": lambda ledger, old: ledger.prepare(old, Position("6"), make_delta().snapshot()),
    "fold": lambda ledger, old: ledger.fold(old),
    "note_refusal": lambda ledger, old: ledger.note_refusal(old, "throttled"),
    "abandon": lambda ledger, old: ledger.abandon(old),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("supersede", SUPERSEDE)
def test_an_older_claim_changes_nothing(ledger: Ledger, supersede: str, step: str) -> None:
    """Only the latest claim on a shard, in the current generation, may write for it."""
    old = claim(ledger)
    ledger.prepare(old, Position("5"), make_delta().snapshot())
    SUPERSEDE[supersede](ledger, old)
    left = ledger.left_commits()

    with pytest.raises(StaleProcessor, match=r"is over|taken over shardId-0"):
        STEPS[step](ledger, old)

    assert [] == sums(ledger)
    assert {} == ledger.totals().counts
    assert [(SHARD, old.token, Position("5"))] == left == ledger.left_commits()


@pytest.mark.parametrize("generation", [0, 1, 3])
def test_a_shard_is_claimed_in_the_current_generation_only(ledger: Ledger, generation: int) -> None:
    """A processor of an earlier daemon can't take a shard from its successor."""
    ledger.begin_generation()
    assert 2 == ledger.begin_generation()

    with pytest.raises(StaleProcessor, match=f"Generation {generation} .* is over"):
        ledger.claim(SHARD, generation)


def test_no_shard_is_claimed_before_the_first_generation(ledger: Ledger) -> None:
    """A new ledger has no generation at all."""
    with pytest.raises(StaleProcessor):
        ledger.claim(SHARD, 0)


def test_claims_have_tokens_of_their_own(ledger: Ledger) -> None:
    """The ledger's id, and six characters that differ for each claim, as the lease rows keep them."""
    claims = [claim(ledger) for _ in range(3)]

    assert 3 == len({held.token for held in claims})
    assert {(8, 6)} == {tuple(map(len, held.token.split("."))) for held in claims}
    assert 1 == len({held.token.split(".")[0] for held in claims})
    assert [1, 2, 3] == [held.generation for held in claims]


def test_the_latest_claim_holds_the_shard(ledger: Ledger) -> None:
    """Until another processor claims it, or the daemon is replaced."""
    first = claim(ledger)
    other = ledger.claim("other", first.generation)
    assert ledger.is_held_by(SHARD, first.token)
    assert not ledger.is_held_by(SHARD, other.token)
    assert not ledger.is_held_by("other", first.token)

    second = ledger.claim(SHARD, first.generation)
    assert not ledger.is_held_by(SHARD, first.token)
    assert ledger.is_held_by(SHARD, second.token)

    ledger.begin_generation()
    assert not ledger.is_held_by(SHARD, second.token)


def test_a_fold_without_a_preparation_is_refused(ledger: Ledger) -> None:
    """Nothing can be published that was not written down before its checkpoint."""
    held = claim(ledger)

    with pytest.raises(StaleProcessor, match=f"no prepared commit of {SHARD}"):
        ledger.fold(held)

    assert {} == ledger.totals().counts


def test_a_refusal_is_counted_and_leaves_the_preparation(ledger: Ledger) -> None:
    """The same commit may succeed later."""
    held = claim(ledger)
    ledger.prepare(held, Position("5"), make_delta().snapshot())

    ledger.note_refusal(held, "throttled")
    ledger.note_refusal(held, "throttled")
    assert {("checkpoints", "throttled"): 2} == ledger.totals().counts

    ledger.fold(held)
    assert [(1, 10, 100)] == sums(ledger)


SETTLED: dict[Verdict, tuple[list[tuple[int, int, int]], dict[tuple[str, str], int]]] = {
    Verdict.DROP: ([], {}),
    Verdict.FOLD: ([(1, 10, 100)], {("events", "counted"): 1}),
    Verdict.UNDECIDED: ([(1, 10, 100)], {("events", "counted"): 1, ("undecided_commits", ""): 1}),
}


@pytest.mark.parametrize("verdict", SETTLED)
def test_a_left_commit_is_settled_once(ledger: Ledger, verdict: Verdict) -> None:
    """It is dropped or folded, and counted if the lease table can't tell."""
    ledger.prepare(claim(ledger), Position("5"), make_delta().snapshot())
    ledger.begin_generation()
    (left,) = ledger.left_commits()

    assert (1, 10, 100) == ledger.settle(left, verdict)
    assert ledger.settle(left, verdict) is None

    assert SETTLED[verdict] == (sums(ledger), ledger.totals().counts)
    assert [] == ledger.left_commits()


LEAVING: dict[str, tuple[Callable[[Ledger, Claim], object], list[str]]] = {
    "its holder goes on": (lambda ledger, holder: None, []),
    "its checkpoint was refused, and may be repeated": (
        lambda ledger, holder: ledger.note_refusal(holder, "throttled"),
        [],
    ),
    "its holder has abandoned it": (lambda ledger, holder: ledger.abandon(holder), [SHARD]),
    "another processor has the shard": (lambda ledger, holder: ledger.claim(SHARD, holder.generation), [SHARD]),
    "another processor has another shard": (lambda ledger, holder: ledger.claim("other", holder.generation), []),
    "another shard's holder abandons its own": (
        lambda ledger, holder: ledger.abandon(ledger.claim("other", holder.generation)),
        [],
    ),
    "its daemon is gone": (lambda ledger, holder: ledger.begin_generation(), [SHARD]),
}


@pytest.mark.parametrize("happens", LEAVING)
def test_a_commit_is_left_once_its_holder_cannot_finish_it(ledger: Ledger, happens: str) -> None:
    """Until then only its holder may fold it."""
    holder = claim(ledger)
    ledger.prepare(holder, Position("5"), make_delta().snapshot())
    do, expected = LEAVING[happens]

    do(ledger, holder)

    assert expected == [left.shard_id for left in ledger.left_commits()]


def test_a_new_holder_commits_beside_what_an_earlier_one_left(ledger: Ledger) -> None:
    """Neither commit touches the other."""
    old = claim(ledger)
    ledger.prepare(old, Position("5", 3), make_delta().snapshot())
    new = ledger.claim(SHARD, old.generation)
    ledger.prepare(new, Position("6"), make_delta(flows=2).snapshot())
    (left,) = ledger.left_commits()
    assert (SHARD, old.token, Position("5", 3)) == left

    ledger.fold(new)
    assert [(2, 20, 200)] == sums(ledger)

    ledger.settle(left, Verdict.FOLD)
    assert [(3, 30, 300)] == sums(ledger)


def test_many_writers_and_a_reader(path: Path) -> None:
    """Processors commit at the same time, the page is read between, and the sums are exact."""
    commits, shards = 30, 6
    with Ledger(path) as ledger:
        generation = ledger.begin_generation()
    failures: list[Exception] = []

    def work(shard: int) -> None:
        try:
            with Ledger(path) as own:
                held = own.claim(f"shard-{shard}", generation)
                for number in range(1, commits + 1):
                    commit(own, held, str(number))
        except Exception as error:  # noqa: BLE001 - reported by the main thread
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

    assert [] == failures
    assert sorted(seen) == seen
    with Ledger(path) as ledger:
        assert [(commits * shards, 10 * commits * shards, 100 * commits * shards)] == sums(ledger)


def test_totals_are_read_while_a_processor_writes(path: Path, ledger: Ledger) -> None:
    """A page doesn't wait for a commit, and shows what was published before it."""
    held = claim(ledger)
    commit(ledger, held)

    with closing(connect(path, patience=0.0)) as writer, Ledger(path, patience=0.0) as reader, transaction(writer):
        assert [(1, 10, 100)] == sums(reader)


def test_idle_subnets_that_are_gone_are_forgotten(ledger: Ledger) -> None:
    """A subnet goes if nobody knows it and it had no traffic for the given time of running; known subnets stay."""
    held = claim(ledger)

    def count(upto: str, *subnet_ids: str) -> None:
        delta = Delta()
        for subnet_id in subnet_ids:
            delta.add_flow(SERIES._replace(subnet_id=subnet_id), 1, 1)
            delta.rejected_ports[RejectedPort(subnet_id, "ingress", "tcp", "22")] += 1
        commit(ledger, held, upto, delta)

    count("5", "subnet-gone", "subnet-quiet", "subnet-busy")
    ledger.pass_time(700)
    ledger.pass_time(300)
    count("6", "subnet-busy")

    assert [] == ledger.forget_idle_subnets({"subnet-quiet"}, idle_for=1000)
    assert ["subnet-gone"] == ledger.forget_idle_subnets({"subnet-quiet"}, idle_for=999)

    totals = ledger.totals()
    for kept in (totals.traffic, totals.rejected_ports):
        assert {"subnet-quiet", "subnet-busy"} == {total.series.subnet_id for total in kept}


def test_dead_letters_come_with_their_commit(ledger: Ledger) -> None:
    """In order, numbered, a bounded number at a time, until they are forgotten."""
    held = claim(ledger)
    letters = [DeadLetter(SHARD, str(number), 0, "bad_number", "line", "x" * 100) for number in range(4)]
    delta = make_delta()
    delta.dead_letters += letters
    ledger.prepare(held, Position("5"), delta.snapshot())
    assert [] == ledger.dead_letters()

    ledger.fold(held)
    assert list(enumerate(letters, 1)) == ledger.dead_letters()
    assert [(1, letters[0]), (2, letters[1])] == ledger.dead_letters(2)

    ledger.forget_dead_letters(2)
    assert [(3, letters[2]), (4, letters[3])] == ledger.dead_letters()


def test_a_thousand_dead_letters_are_read_at_a_time(ledger: Ledger) -> None:
    """So that moving them to their file takes bounded memory."""
    held = claim(ledger)
    delta = make_delta()
    delta.dead_letters += [DeadLetter(SHARD, "5", 0, "bad_number", "line", "x")] * 1001
    commit(ledger, held, delta=delta)

    assert 1000 == len(ledger.dead_letters())
