"""What the claims in a lease row tell about deaths that left no note of a record."""

from __future__ import annotations

import pytest

from kcl_flowlog.commits.claims import Care, LeaseRow, claims_of, digest, with_claim, with_note
from kcl_flowlog.commits.deaths import DEATHS, care_needed, poison
from kcl_flowlog.counting.positions import Position

R, S = digest(Position("150")), digest(Position("151"))
SILENT = ("100", "", Care.NORMAL, "")


def row(*claims: tuple[str, str, Care, str]) -> LeaseRow:
    """Return a row with claims (each its begin, suspect, care and record in hand), at the begin of the last."""
    found = LeaseRow("owner", Position("1"))
    for number, (begins_at, suspect, care, in_hand) in enumerate(claims):
        found = found._replace(checkpoint=Position(begins_at))
        found = found._replace(claims=with_claim(found, f"token{number}", suspect))
        noted = with_note(found, f"token{number}", care, in_hand)
        assert noted is not None
        found = found._replace(claims=noted)
    return found


CARE = {
    "no claim": ([], Care.NORMAL),
    "too few deaths": ([SILENT] * (DEATHS - 1), Care.NORMAL),
    "enough deaths without an explanation": ([SILENT] * DEATHS, Care.GROUPS),
    "the last of them got further": ([SILENT] * DEATHS + [("200", "", Care.NORMAL, "")], Care.NORMAL),
    "one of them began elsewhere": ([("90", "", Care.NORMAL, ""), SILENT, SILENT], Care.NORMAL),
    "one of them left a note of its record": ([SILENT, ("100", R, Care.NORMAL, ""), SILENT], Care.NORMAL),
    "one of them survived its care": ([SILENT, ("100", "", Care.SURVIVED, ""), SILENT], Care.NORMAL),
    "a careful holder died": ([("100", "", Care.GROUPS, "")], Care.SINGLE),
    "a careful holder got further and died": ([("90", "", Care.GROUPS, ""), SILENT], Care.NORMAL),
    "a holder that goes singly died": ([("100", "", Care.SINGLE, R)], Care.SINGLE),
    "a careful holder survived": ([SILENT] * DEATHS + [("100", "", Care.SURVIVED, "")], Care.NORMAL),
}


@pytest.mark.parametrize("case", CARE)
def test_the_claims_tell_how_carefully_to_go_on(case: str) -> None:
    """As long as nobody has survived, and nobody knows the record."""
    claims, expected = CARE[case]

    assert expected is care_needed(row(*claims))


IN_HAND = {
    "too few": ([("100", "", Care.SINGLE, R)] * (DEATHS - 1), set()),
    "enough, and the first of them got further": (
        [("90", "", Care.SINGLE, R)] + [("100", "", Care.SINGLE, R)] * (DEATHS - 1),
        {R},
    ),
    "different records": ([("100", "", Care.SINGLE, R), ("100", "", Care.SINGLE, S)] * (DEATHS - 1), set()),
    "a note and a claim about the same death": (
        [("100", "", Care.SINGLE, R), ("100", R, Care.SINGLE, R), ("100", R, Care.NORMAL, "")],
        set(),
    ),
}


@pytest.mark.parametrize("case", IN_HAND)
def test_the_claims_tell_which_record_was_in_hand(case: str) -> None:
    """Of a holder that names each record before it counts it."""
    claims, expected = IN_HAND[case]

    assert expected == poison(row(*claims))


def test_only_the_last_claim_takes_notes() -> None:
    """A holder with an older claim has lost its lease."""
    found = row(SILENT, SILENT)

    assert with_note(found, "token0", Care.SURVIVED, "") is None
    assert with_note(found._replace(claims=""), "token0", Care.SURVIVED, "") is None


def test_the_text_of_notes_stays() -> None:
    """Instances of different versions read each other's claims."""
    found = LeaseRow("owner", Position("402"), "1a2b3c@f7728505c7af")

    text = with_claim(found, "0badcafe.a-b_c1", R, Care.GROUPS)
    assert f"1a2b3c@f7728505c7af 0badcafe.a-b_c1*1@{digest(found.checkpoint)}!{R}" == text
    noted = with_note(found._replace(claims=text), "0badcafe.a-b_c1", Care.SINGLE, S)
    assert f"1a2b3c@f7728505c7af 0badcafe.a-b_c1*2~{S}@{digest(found.checkpoint)}!{R}" == noted
    assert [text.split()[0], *noted.split()[1:]] == [str(claim) for claim in claims_of(found._replace(claims=noted))]


def test_a_note_of_a_newer_version_is_kept_and_ignored() -> None:
    """Its claim counts as one without notes."""
    found = LeaseRow("owner", Position("402"), "token*9@f7728505c7af")

    assert Care.NORMAL is claims_of(found)[0].care
    assert with_claim(found, "next").startswith("token*9@f7728505c7af next@")


def test_a_row_with_long_claims_keeps_fewer() -> None:
    """So it stays below a kilobyte with the KCL's own attributes."""
    found = row(*[("49" * 28, R, Care.SINGLE, S)] * 40)

    assert len(found.claims) <= 480
    assert [f"token{number}" for number in range(31, 40)] == [claim.token for claim in claims_of(found)]
