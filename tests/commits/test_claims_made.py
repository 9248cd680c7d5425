"""What a ledger remembers of the claims that it has made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.commits.ledger import Ledger
from kcl_flowlog.counting.positions import Position
from tests.support.ledgers import SHARD

MOST = 64


def claimed(token: str, begins_at: str, checkpoint: str) -> dict[str, LeaseRow]:
    """Return the rows of a lease table with one claim."""
    row = LeaseRow("owner", Position(begins_at))
    return {SHARD: row._replace(claims=with_claim(row, token), checkpoint=Position(checkpoint))}


def test_a_bounded_number_of_claims_is_remembered(ledger: Ledger, path: Path) -> None:
    """Of each shard, far more than a row keeps; a claim that is forgotten looks like one of another copy."""
    generation = ledger.begin_generation()
    other = ledger.claim("other", generation, Position("3"))
    tokens = [ledger.claim(SHARD, generation, Position("3")).token for _ in range(MOST + 1)]

    with closing(sqlite3.connect(path)) as db:
        assert (MOST + 1,) == db.execute("SELECT count(*) FROM claims_made").fetchone()
    assert [SHARD] == ledger.shards_ahead(claimed(tokens[0], "3", "3"))
    assert [] == ledger.shards_ahead(claimed(tokens[1], "3", "3"))
    assert [] == ledger.shards_ahead({"other": claimed(other.token, "3", "3")[SHARD]})


def test_a_checkpoint_that_was_set_by_hand_looks_like_an_old_ledger(ledger: Ledger) -> None:
    """Nobody else can have moved it since the claim."""
    token = ledger.claim(SHARD, ledger.begin_generation(), Position("3")).token

    assert [SHARD] == ledger.shards_ahead(claimed(token, "3", "4"))


def test_each_ledger_has_its_id(ledger: Ledger, tmp_path: Path) -> None:
    """So a fresh ledger never looks like an old copy of another."""
    with Ledger(tmp_path / "other.sqlite3") as other:
        token = other.claim(SHARD, other.begin_generation(), Position("3")).token

    assert [] == ledger.shards_ahead(claimed(token, "3", "4"))
