"""A lease table in memory, with the conditions of the real table."""

from __future__ import annotations

from kcl_flowlog.commits.claims import LeaseRow, with_claim
from kcl_flowlog.counting.positions import Position

HERE, ELSEWHERE = "here", "elsewhere"
START = Position("TRIM_HORIZON")


class FakeLeases:
    """Rows by shard; the test does what the KCL would do to them."""

    def __init__(self) -> None:
        self.rows: dict[str, LeaseRow] = {}

    def read_row(self, shard_id: str) -> LeaseRow | None:
        return self.rows.get(shard_id)

    def add_claim(self, shard_id: str, row: LeaseRow, token: str, suspect: str = "") -> bool:
        if self.rows.get(shard_id) != row:
            return False
        self.rows[shard_id] = row._replace(claims=with_claim(row, token, suspect))
        return True

    def assign(self, shard_id: str, owner: str, checkpoint: Position) -> None:
        """Lease a shard to an owner with this checkpoint, as the KCL does."""
        claims = self.rows[shard_id].claims if shard_id in self.rows else ""
        self.rows[shard_id] = LeaseRow(owner, checkpoint, claims)

    def claim_elsewhere(self, shard_id: str, checkpoint: Position, token: str = "other", suspect: str = "") -> None:
        """Lease a shard to another instance, which claims it from this checkpoint."""
        self.assign(shard_id, ELSEWHERE, checkpoint)
        assert self.add_claim(shard_id, self.rows[shard_id], token, suspect)
