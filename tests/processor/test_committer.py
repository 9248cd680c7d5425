"""The commit of a shard, against a checkpointer that answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.commits.refusals import CheckpointRefused
from kcl_flowlog.counting.positions import Position
from kcl_flowlog.errors import StaleProcessor
from kcl_flowlog.processor import faults
from kcl_flowlog.processor.committer import Committer, Outcome
from tests.support.ledgers import SHARD, claim, make_delta, sums

UPTO = Position("49590338271490256608559692538361571095921575989136588898", 3)
THROTTLED = "ThrottlingException"
DOUBTFUL = "KinesisClientLibDependencyException"
LOST = "ShutdownException"
NEW_TO_US = "SomeExceptionOfTheNextRelease"


class FakeCheckpointer:
    """Answers checkpoints in order: None grants, a name refuses with that exception."""

    def __init__(self, *answers: str | None) -> None:
        self._answers = list(answers)
        self.requests: list[Position | None] = []

    def checkpoint(self, position: Position | None) -> None:
        self.requests.append(position)
        refusal = self._answers.pop(0)
        if refusal is not None:
            raise CheckpointRefused(refusal)


class Commits:
    """A committer with a real ledger; pauses are noted instead of slept."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.claim = claim(ledger)
        self.pauses: list[float] = []
        self.jitters: list[tuple[float, float]] = []
        self.points: list[str] = []
        self.committer = Committer(ledger, self.claim, self.pauses.append, jitter=self._jitter, fault_point=self._note)

    def _jitter(self, low: float, high: float) -> float:
        self.jitters.append((low, high))
        return low

    def _note(self, point: str, payload: bytes = b"") -> None:
        self.points.append(point)

    @property
    def outcomes(self) -> dict[str, int]:
        """Return the checkpoints by outcome."""
        counts = self.ledger.totals().counts
        return {label: number for (name, label), number in counts.items() if name == "checkpoints"}

    @property
    def left(self) -> list[str]:
        """Return the shards with a commit that the lease table has to settle."""
        return [left.shard_id for left in self.ledger.left_commits()]


@pytest.fixture
def commits(tmp_path: Path) -> Iterator[Commits]:
    with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        yield Commits(ledger)


def finish(commits: Commits, *answers: str | None) -> tuple[Outcome, Sequence[Position | None]]:
    checkpointer = FakeCheckpointer(*answers)
    return commits.committer.finish(checkpointer), checkpointer.requests


def test_a_granted_checkpoint_publishes_the_delta(commits: Commits) -> None:
    """Prepared at a position, checkpointed at that position, then folded."""
    commits.committer.prepare(make_delta(), UPTO)
    assert (True, []) == (commits.committer.has_prepared, sums(commits.ledger))

    assert (Outcome.DONE, [UPTO]) == finish(commits, None)

    assert not commits.committer.has_prepared
    assert [(1, 10, 100)] == sums(commits.ledger)
    assert {"ok": 1} == commits.outcomes
    assert [] == commits.pauses


def test_nothing_prepared_needs_no_checkpoint(commits: Commits) -> None:
    """Finishing is done at once."""
    assert not commits.committer.has_prepared
    assert (Outcome.DONE, []) == finish(commits)
    assert {} == commits.outcomes


def test_the_points_of_a_commit_come_in_order(commits: Commits) -> None:
    """Each gap between two steps can be tested with a fault."""
    commits.committer.prepare(make_delta(), UPTO)
    assert [faults.COUNTED, faults.PREPARED] == commits.points

    finish(commits, None)

    assert list(faults.GAPS) == commits.points


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        ((THROTTLED, None), [0.1]),
        ((THROTTLED, DOUBTFUL, None), [0.1, 0.2]),
        ((DOUBTFUL, THROTTLED, THROTTLED, None), [0.1, 0.2, 0.4]),
        ((NEW_TO_US, THROTTLED, DOUBTFUL, THROTTLED, None), [0.1, 0.2, 0.4, 0.8]),
    ],
)
def test_a_refusal_is_tried_again(commits: Commits, answers: tuple[str | None, ...], pauses: list[float]) -> None:
    """At the same position, up to five times, after pauses that double; only the success is counted."""
    commits.committer.prepare(make_delta(), UPTO)

    assert (Outcome.DONE, [UPTO] * len(answers)) == finish(commits, *answers)

    assert [(1, 10, 100)] == sums(commits.ledger)
    assert {"ok": 1} == commits.outcomes
    assert pauses == pytest.approx(commits.pauses)


def test_pauses_have_jitter(commits: Commits) -> None:
    """By at most half, so that shards that were throttled together don't come back together."""
    commits.committer.prepare(make_delta(), UPTO)

    finish(commits, THROTTLED, THROTTLED, None)

    assert [(0.5, 1.0)] * 2 == commits.jitters


def test_throttling_for_long_leaves_the_commit_prepared(commits: Commits) -> None:
    """A later call tries again."""
    commits.committer.prepare(make_delta(), UPTO)

    assert (Outcome.LATER, [UPTO] * 5) == finish(commits, *[THROTTLED] * 5)
    assert commits.committer.has_prepared
    assert [] == sums(commits.ledger)
    assert [] == commits.left
    assert {"throttled": 1} == commits.outcomes

    assert (Outcome.DONE, [UPTO]) == finish(commits, None)
    assert [(1, 10, 100)] == sums(commits.ledger)


@pytest.mark.parametrize("doubtful", [DOUBTFUL, NEW_TO_US])
@pytest.mark.parametrize("place", range(5))
def test_a_doubt_stays_when_throttling_follows(commits: Commits, doubtful: str, place: int) -> None:
    """If any try may have been written, and none succeeds, the processor ends and the lease table decides."""
    answers = [THROTTLED] * 5
    answers[place] = doubtful
    commits.committer.prepare(make_delta(), UPTO)
    checkpointer = FakeCheckpointer(*answers)

    with pytest.raises(CheckpointRefused, match=doubtful) as raised:
        commits.committer.finish(checkpointer)

    assert doubtful == raised.value.name
    assert [UPTO] * 5 == checkpointer.requests
    assert [] == sums(commits.ledger)
    assert {"ambiguous": 1} == commits.outcomes


@pytest.mark.parametrize("before", [(), (THROTTLED,), (DOUBTFUL, THROTTLED)])
def test_a_lost_lease_leaves_the_commit_to_the_lease_table(commits: Commits, before: tuple[str, ...]) -> None:
    """Its checkpoint may have happened, so the delta is neither published nor dropped."""
    commits.committer.prepare(make_delta(), UPTO)

    assert (Outcome.LOST, [UPTO] * (len(before) + 1)) == finish(commits, *before, LOST)

    assert not commits.committer.has_prepared
    assert [] == sums(commits.ledger)
    assert [SHARD] == commits.left
    assert {"lost": 1} == commits.outcomes


@pytest.mark.parametrize("fatal", ["InvalidStateException", "IllegalArgumentException"])
def test_a_fatal_refusal_is_raised_at_once(commits: Commits, fatal: str) -> None:
    """Trying again would not help."""
    commits.committer.prepare(make_delta(), UPTO)

    with pytest.raises(CheckpointRefused, match=f"The KCL refused a checkpoint: {fatal}"):
        finish(commits, fatal)

    assert [] == commits.pauses
    assert [] == sums(commits.ledger)
    assert {"failed": 1} == commits.outcomes


def test_an_abandoned_commit_is_left(commits: Commits) -> None:
    """For the lease table to settle; with nothing prepared, abandoning does nothing."""
    commits.committer.abandon()
    assert [] == commits.left

    commits.committer.prepare(make_delta(), UPTO)
    commits.committer.abandon()

    assert [SHARD] == commits.left
    assert not commits.committer.has_prepared


def test_abandoning_nothing_asks_nothing_of_the_ledger(commits: Commits) -> None:
    """Even a processor whose shard was taken over can end in order then."""
    commits.ledger.begin_generation()
    commits.committer.abandon()

    with pytest.raises(StaleProcessor):
        commits.committer.prepare(make_delta(), UPTO)


def test_the_shards_end_is_tried_for_as_long_as_it_takes(commits: Commits) -> None:
    """After pauses that double up to ten seconds, halved here by jitter, as the KCL asks for it only once."""
    checkpointer = FakeCheckpointer(*[THROTTLED, DOUBTFUL, NEW_TO_US, THROTTLED] * 2, None)

    assert Outcome.DONE is commits.committer.end_shard(checkpointer)

    assert [None] * 9 == checkpointer.requests
    assert [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0] == pytest.approx(commits.pauses)


def test_the_shards_end_is_not_tried_without_a_lease(commits: Commits) -> None:
    """Another owner will checkpoint it."""
    checkpointer = FakeCheckpointer(THROTTLED, LOST)

    assert Outcome.LOST is commits.committer.end_shard(checkpointer)

    assert [None, None] == checkpointer.requests


def test_a_fatal_refusal_of_the_shards_end_is_raised(commits: Commits) -> None:
    """The processor must not answer that the shard has ended."""
    with pytest.raises(CheckpointRefused, match="InvalidStateException"):
        commits.committer.end_shard(FakeCheckpointer("InvalidStateException"))
