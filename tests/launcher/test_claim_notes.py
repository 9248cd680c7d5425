"""Notes in a claim: written while the claim is the shard's last, and only then."""

from __future__ import annotations

import botocore.exceptions
import pytest

from kcl_flowlog.commits.claims import Care, LeaseRow, claims_of, with_claim
from kcl_flowlog.commits.messages import LATER, ClaimNote
from kcl_flowlog.launcher.claim_notes import ClaimNotes
from tests.support.lease_fakes import ELSEWHERE, HERE, START, FakeLeases
from tests.support.ledgers import SHARD

NOTE = ClaimNote(SHARD, "ours", Care.SINGLE.value, "record")
THROTTLED = botocore.exceptions.ClientError({"Error": {"Code": "ThrottlingException"}}, "GetItem")


@pytest.fixture
def leases() -> FakeLeases:
    made = FakeLeases()
    made.assign(SHARD, HERE, START)
    assert made.add_claim(SHARD, made.rows[SHARD], "ours")
    return made


def test_a_note_is_written(leases: FakeLeases) -> None:
    """Into the claim of the processor that sent it."""
    notes = ClaimNotes(leases, HERE)

    assert [] == notes.write(NOTE)

    (claim,) = claims_of(leases.rows[SHARD])
    assert ("ours", Care.SINGLE, "record") == (claim.token, claim.care, claim.in_hand)
    written = leases.rows[SHARD]
    assert [] == notes.write(NOTE)
    assert written == leases.rows[SHARD]


def deleted(leases: FakeLeases) -> None:
    del leases.rows[SHARD]


LOST = {
    "another owner": lambda leases: leases.assign(SHARD, ELSEWHERE, START),
    "another claim": lambda leases: leases.add_claim(SHARD, leases.rows[SHARD], "theirs"),
    "no row": deleted,
}


@pytest.mark.parametrize("case", LOST)
def test_a_lost_claim_takes_no_notes(leases: FakeLeases, case: str) -> None:
    """The processor must not go on."""
    LOST[case](leases)

    assert ClaimNotes(leases, HERE).write(NOTE) is None


def test_a_note_that_cannot_be_written_now_is_to_be_sent_again(
    leases: FakeLeases, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lease table fails, or the row has changed after it was read."""
    notes = ClaimNotes(leases, HERE)
    read_row = leases.read_row

    def fail(shard_id: str) -> LeaseRow | None:
        raise THROTTLED

    def change(shard_id: str) -> LeaseRow | None:
        row = read_row(shard_id)
        assert row is not None
        leases.rows[SHARD] = row._replace(claims=with_claim(row, "theirs"))
        return row

    monkeypatch.setattr(leases, "read_row", fail)
    assert [LATER] == notes.write(NOTE)
    assert ["Note in a claim can't be written yet"] == caplog.messages
    monkeypatch.setattr(leases, "read_row", change)
    assert [LATER] == notes.write(NOTE)
