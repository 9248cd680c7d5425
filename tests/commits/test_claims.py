"""What the claims in a lease row tell about a commit: single cases, and random histories of whole fleets."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_flowlog.commits.claims import LeaseRow, Verdict, digest, has_claim, verdict, with_claim
from kcl_flowlog.commits.deaths import DEATHS, poison
from kcl_flowlog.counting.positions import Position

WAIT = None


def row(checkpoint: str, *claims: tuple[str, str]) -> LeaseRow:
    """Return a row with claims, each a token and the checkpoint it begins at."""
    made = LeaseRow("owner", Position(checkpoint))
    for token, began_at in claims:
        made = made._replace(claims=with_claim(made._replace(checkpoint=Position(began_at)), token))
    return made


OURS, THEIRS = ("ours", "100"), ("theirs", "100")

# The row, and the verdict on the commit of "ours" from 100 up to 200.
CASES = {
    "no later claim, and the row is at our position": (row("200", OURS), Verdict.FOLD),
    "no later claim, and the row is where we began": (row("100", OURS), WAIT),
    "the next claim begins at our position": (row("200", OURS, ("theirs", "200")), Verdict.FOLD),
    "the next claim begins at our position, and the row is ahead": (row("300", OURS, ("theirs", "200")), Verdict.FOLD),
    "the next claim begins at our position, and the shard has ended": (
        row("SHARD_END", OURS, ("theirs", "200")),
        Verdict.FOLD,
    ),
    "the next claim begins at the shard's end": (
        row("SHARD_END", OURS, ("theirs", "SHARD_END")),
        Verdict.FOLD,
    ),
    "the next claim begins where ours does": (row("100", OURS, THEIRS), Verdict.DROP),
    "the next claim begins where ours does, and the row is half way": (row("150", OURS, THEIRS), Verdict.DROP),
    "the next claim begins where ours does, and the row is at our position": (row("200", OURS, THEIRS), Verdict.DROP),
    "the next claim begins where ours does, and the row is ahead": (row("300", OURS, THEIRS), Verdict.DROP),
    "only the claim after the next begins at our position": (row("200", OURS, THEIRS, ("third", "200")), Verdict.DROP),
    "no later claim, and the row is ahead": (row("300", OURS), Verdict.UNDECIDED),
    "no later claim, and the shard has ended": (row("SHARD_END", OURS), Verdict.FOLD),
    "our claim was pushed out, and the row is behind": (row("150", THEIRS), Verdict.DROP),
    "our claim was pushed out, and the row is at our position": (row("200", THEIRS), Verdict.UNDECIDED),
    "the row was deleted": (None, Verdict.UNDECIDED),
}


@pytest.mark.parametrize("case", CASES)
def test_a_row_tells_the_outcome_of_a_commit(case: str) -> None:
    """Where the next claim begins decides; without a next claim, the checkpoint, if it can."""
    found, expected = CASES[case]

    assert expected is verdict(found, "ours", Position("200"))


@pytest.mark.parametrize(
    ("upto", "next_at", "expected"),
    [
        (Position("200", 3), Position("200", 3), Verdict.FOLD),
        (Position("200", 3), Position("200", 2), Verdict.DROP),
        (Position("10"), Position("9"), Verdict.DROP),
    ],
)
def test_sub_sequences_are_part_of_a_position(upto: Position, next_at: Position, expected: Verdict) -> None:
    """Several user records can share a sequence number."""
    began = LeaseRow("owner", Position("1"))
    found = began._replace(claims=with_claim(began, "ours"), checkpoint=next_at)
    found = found._replace(claims=with_claim(found, "theirs"))

    assert expected is verdict(found, "ours", upto)


def test_sequence_numbers_are_compared_as_numbers() -> None:
    """As text, 9 would be after 10."""
    assert WAIT is verdict(row("9", ("ours", "8")), "ours", Position("10"))


def test_old_claims_make_room() -> None:
    """DynamoDB bills a row by the kilobyte; the KCL's own attributes take about half of one."""
    claims = [(f"{number:012}", "49" * 28) for number in range(100)]
    found = row("1", *claims)

    assert len(found.claims) < 450
    assert has_claim(found, f"{99:012}")
    assert not has_claim(found, f"{0:012}")


def test_the_text_of_a_claim_stays() -> None:
    """Instances of different versions read each other's claims: token, begin, and a suspect if there is a suspect."""
    found = LeaseRow("owner", Position("49590338271490256608559692538361571095921575989136588898", 2))

    assert "87ee131cfde6" == digest(Position("TRIM_HORIZON"))
    assert "f7728505c7af" == digest(Position("402"))
    assert f"1a2b@{digest(found.checkpoint)}" == with_claim(found, "1a2b")
    assert f"old@begin 1a2b@{digest(found.checkpoint)}!f7728505c7af" == with_claim(
        found._replace(claims="old@begin"), "1a2b", "f7728505c7af"
    )


R, S = digest(Position("150")), digest(Position("150", 1))

# Claims, each with its begin (the row is at the begin of the last) and its suspect; the poison.
SUSPECTS = {
    "no death": ([("100", "")] * 5, set()),
    "too few": ([("100", "")] + [("100", R)] * (DEATHS - 1), set()),
    "enough": ([("100", "")] + [("100", R)] * DEATHS, {R}),
    "on several instances": ([("100", ""), ("100", R), ("100", ""), ("100", R), ("100", ""), ("100", R)], {R}),
    "enough, and the processor that should have skipped it was stopped": ([("100", R)] * DEATHS + [("100", "")], {R}),
    "at different records": ([("100", R), ("100", S), ("100", R), ("100", S)], set()),
    "two of them": ([("100", R)] * DEATHS + [("100", S)] * DEATHS, {R, S}),
    "before the last checkpoint": ([("90", R)] * DEATHS + [("100", "")], set()),
    "some of them before": ([("90", R)] * (DEATHS - 1) + [("100", R)], set()),
}


@pytest.mark.parametrize("case", SUSPECTS)
def test_the_claims_tell_which_record_kills(case: str) -> None:
    """It was in hand at `DEATHS` deaths, on whatever instances, while the checkpoint stood still."""
    claims, expected = SUSPECTS[case]
    found = LeaseRow("owner", Position("1"))
    for number, (began_at, suspect) in enumerate(claims):
        found = found._replace(checkpoint=Position(began_at))
        found = found._replace(claims=with_claim(found, f"token{number}", suspect))

    assert expected == poison(found)


def test_a_suspect_changes_nothing_about_commits() -> None:
    """Where its claim begins decides as without a suspect."""
    found = row("200", OURS)
    found = found._replace(claims=with_claim(found, "theirs", R))

    assert has_claim(found, "theirs")
    assert Verdict.FOLD is verdict(found, "ours", Position("200"))
    assert Verdict.DROP is verdict(found, "ours", Position("199"))


@dataclass
class Commit:
    """A commit without an answer, and whether its checkpoint was written."""

    token: str
    upto: Position
    happened: bool


# One holder's time with a shard: how far each of its commits goes, and the fate of the last commit: whether it is
# written, and whether its holder hears of that.
TIMES = st.lists(
    st.tuples(st.lists(st.integers(1, 3), max_size=3), st.booleans(), st.booleans()), min_size=1, max_size=16
)


@given(TIMES)
def test_no_history_is_undecided_or_wrong(times: list[tuple[list[int], bool, bool]]) -> None:
    """Holders come and go, redo what was not written, and stop at the same places; each verdict is right."""
    found = LeaseRow("owner", Position("100"))
    left: list[Commit] = []
    for number, (steps, is_written, is_heard) in enumerate(times):
        token = f"holder{number}"
        found = found._replace(claims=with_claim(found, token))
        for place, step in enumerate(steps, 1):
            upto = Position(str(int(found.checkpoint.sequence) + step))
            is_last = place == len(steps)
            if is_last and not (is_written and is_heard):
                left.append(Commit(token, upto, is_written))
            if is_written or not is_last:
                found = found._replace(checkpoint=upto)
        for commit in left:
            decided = verdict(found, commit.token, commit.upto)
            assert decided in (Verdict.FOLD if commit.happened else Verdict.DROP, WAIT)
            assert decided is not WAIT or (commit.token == token and not commit.happened)
