"""Which fingerprints of a shard a restart finds."""

from __future__ import annotations

import pytest

from kcl_flowlog.commits import fingerprints
from kcl_flowlog.commits.claims import Verdict
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.delta import Delta
from kcl_flowlog.counting.duplicates import WINDOW
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import SHARD, claim, commit, make_delta

A, B, C = (bytes([number]) * 8 for number in range(3))


def with_fingerprints(*added: bytes) -> Delta:
    delta = make_delta()
    delta.fingerprints += added
    return delta


def test_fingerprints_come_with_their_commit(ledger: Ledger) -> None:
    """Oldest first, each shard its own; those of a prepared delta are not there yet."""
    first = claim(ledger)
    second = ledger.claim("other", first.generation)
    for held, upto, added in ((first, "5", (A, B)), (second, "5", (B,)), (first, "6", (C,)), (first, "7", ())):
        ledger.prepare(held, Position(upto), with_fingerprints(*added).snapshot())
        ledger.fold(held)
    ledger.prepare(first, Position("8"), with_fingerprints(b"x" * 8).snapshot())

    assert [A, B, C] == ledger.fingerprints(SHARD)
    assert [B] == ledger.fingerprints("other")


def test_fingerprints_of_a_left_commit_come_when_it_is_folded(ledger: Ledger) -> None:
    """Copies of its envelopes must not count."""
    ledger.prepare(claim(ledger), Position("5"), with_fingerprints(A).snapshot())
    ledger.begin_generation()
    (left,) = ledger.left_commits()
    assert [] == ledger.fingerprints(SHARD)

    ledger.settle(left, Verdict.FOLD)

    assert [A] == ledger.fingerprints(SHARD)


@pytest.mark.parametrize(
    ("sizes", "kept"),
    [
        ((1, WINDOW - 1), WINDOW),
        ((1, WINDOW), WINDOW),
        ((2, WINDOW - 1), WINDOW + 1),
        ((1, 1, WINDOW - 1), WINDOW),
        ((1, WINDOW - 1, 1), WINDOW),
    ],
)
def test_those_past_the_window_are_dropped(ledger: Ledger, sizes: tuple[int, ...], kept: int) -> None:
    """All of a commit's at once, as soon as the commits after it fill the window."""
    held = claim(ledger)
    for number, size in enumerate(sizes):
        ledger.prepare(held, Position(str(number)), with_fingerprints(*[A] * size).snapshot())
        ledger.fold(held)

    assert kept == len(ledger.fingerprints(SHARD))


def test_the_window_of_one_shard_does_not_push_out_those_of_another(ledger: Ledger) -> None:
    """A busy shard leaves a quiet shard alone."""
    quiet = claim(ledger)
    busy = ledger.claim("busy", quiet.generation)
    for held, added in ((quiet, [B]), (busy, [A] * WINDOW), (busy, [A])):
        ledger.prepare(held, Position("5"), with_fingerprints(*added).snapshot())
        ledger.fold(held)

    assert [B] == ledger.fingerprints(SHARD)


def test_the_time_does_not_matter(ledger: Ledger) -> None:
    """However much of it passes: a clock that is wrong for a moment must not make copies count."""
    held = claim(ledger)
    commit(ledger, held, "5", with_fingerprints(A))

    ledger.pass_time(100 * 86_400)
    commit(ledger, held, "6", with_fingerprints(B))

    assert [A, B] == ledger.fingerprints(SHARD)


def test_shards_that_ended_make_room(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shards that were written last keep their windows; a shard that was there before pushes none out."""
    monkeypatch.setattr(fingerprints, "SHARDS", 3)
    generation = ledger.begin_generation()
    shards = "abcd"
    claims = {shard: ledger.claim(shard, generation) for shard in shards}

    def kept(*counted: str) -> list[str]:
        for shard in counted:
            commit(ledger, claims[shard], "5", with_fingerprints(A))
        return [shard for shard in shards if ledger.fingerprints(shard)]

    assert ["b", "c", "d"] == kept("d", "c", "b")
    assert ["b", "c", "d"] == kept("d")
    assert ["a", "b", "d"] == kept("a")
    ledger.verify()
